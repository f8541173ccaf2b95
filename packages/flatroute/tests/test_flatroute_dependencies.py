"""Dependencies are called in FastAPI's order and as often, whatever depends on what."""

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Security
from flatroute_support.twins import Twins
from hypothesis import given, settings
from hypothesis import strategies as st

type Needs = list[tuple[int, bool, bool]]
"""For each dependency: its number, whether it may be cached, and whether it is asked for with a scope."""

GRAPHS = st.lists(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=3), max_size=6)


def function(number: int, needs: Needs, known: list[Any]) -> Callable[..., Awaitable[Any]]:
    """Writes down its number and its arguments; what it returns is another at every call."""

    async def call(request: Request, **values: int) -> Any:
        request.state.log = [*getattr(request.state, "log", []), [number, sorted(values.items())]]
        return request.state.log if number < 0 else len(request.state.log)

    depends = [
        Security(known[each], use_cache=cached, scopes=["a"]) if scoped else Depends(known[each], use_cache=cached)
        for each, cached, scoped in needs
        if each < len(known)
    ]
    arguments = {"request": Request, **{f"d{place}": Annotated[int, each] for place, each in enumerate(depends)}}
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in arguments.items()]
    call.__signature__ = Signature(parameters, return_annotation=list[Any])  # type: ignore[attr-defined] # it may be set
    return call


async def test_any_graph_of_dependencies_is_called_alike() -> None:
    graphs: list[list[Needs]] = []

    @settings(max_examples=100, derandomize=True, deadline=None, database=None)
    @given(GRAPHS)
    def collect(graph: list[Needs]) -> None:
        graphs.append(graph)

    collect()
    most = 0

    for graph in graphs:

        def make(graph: list[Needs] = graph) -> FastAPI:
            functions: list[Any] = []
            for number, needs in enumerate(graph):
                functions.append(function(number, needs, functions))
            app = FastAPI(openapi_url=None)
            app.get("/")(function(-1, [(number, True, False) for number in range(len(graph))], functions))
            return app

        answer = await Twins(make).get("/")
        assert (answer.status, answer.compiled) == (200, True)
        most = max(most, answer.body.count(b"d0"))

    assert most > 3
