#!/bin/bash
# First start: make the database cluster, its account and database, and run /docker-entrypoint-initdb.d/*.sql and *.sh
# while the server listens on its socket only. Then become the server.
set -euo pipefail
[ "${1:0:1}" != - ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
[ "$(id -u)" != 0 ] || { echo "PostgreSQL does not run as root: leave --user out" >&2; exit 1; }

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?give the account a password}"
  user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
  # shellcheck disable=SC2086  # several words
  initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  export PGHOST=/var/run/postgresql PGUSER=$user PGPASSWORD=$POSTGRES_PASSWORD
  pg_ctl start --wait -o "-c listen_addresses=''"
  [ "$database" = postgres ] || createdb --maintenance-db=postgres "$database"
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sql) psql -v ON_ERROR_STOP=1 -d "$database" -f "$file" ;;
      *.sh) bash "$file" ;;
    esac
  done
  pg_ctl stop --wait --mode=fast
  unset PGHOST PGUSER PGPASSWORD
fi
exec "$@"
