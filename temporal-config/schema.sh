#!/bin/sh
# Makes Temporal's two databases, or brings them up to date. Run it before each new server version.
# Needs POSTGRES_SEEDS, POSTGRES_USER, SQL_PASSWORD; DB_PORT is 5432 unless given.
set -eu

setup() {
    database=$1 schema=$2
    tool="temporal-sql-tool --plugin postgres12 --ep $POSTGRES_SEEDS -p ${DB_PORT:-5432} -u $POSTGRES_USER --db $database"
    $tool create
    $tool setup-schema -v 0.0 # leaves a schema that is there already as it is
    $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
}

setup temporal temporal
setup temporal_visibility visibility
