#!/bin/sh
# Gives the roles of roles.sql their passwords, when the database is made.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set owner="$OWNER_PASSWORD" --set service="$SERVICE_PASSWORD" <<'SQL'
ALTER ROLE postern_owner PASSWORD :'owner';
ALTER ROLE postern_service PASSWORD :'service';
SQL
