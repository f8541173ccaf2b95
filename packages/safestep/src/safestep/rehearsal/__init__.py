"""`postern db rehearse`: migrations executed on a full database, under the traffic of the code that is deployed.

`run.py` tells the story; `plan.py` decides what is rehearsed, `fill.py` makes rows, `service.py` runs a version of
the service, `load.py` sends it requests, `watch.py` looks at locks, and `report.py` says what came of it.
"""
