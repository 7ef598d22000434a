#!/bin/sh
# Makes the namespace and the search attributes Perdure uses. Running it again changes nothing but the retention.
# Needs TEMPORAL_ADDRESS; TEMPORAL_NAMESPACE is "default" and RETENTION 30d unless given.
set -eu

: "${TEMPORAL_ADDRESS:?the address of the Temporal server, host:port}"
export TEMPORAL_NAMESPACE="${TEMPORAL_NAMESPACE:-default}"
# How long closed chats stay in Temporal's UI. The chats themselves are in Perdure's database for good.
retention="${RETENTION:-30d}"

if temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update -n "$TEMPORAL_NAMESPACE" --retention "$retention"
else
    temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention "$retention"
fi

# a new namespace takes some seconds until every server knows it
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    if temporal operator search-attribute create \
        --name PerdureOwner --type Keyword \
        --name PerdureOrganization --type Keyword \
        --name PerdureStatus --type Keyword \
        --name PerdureModel --type Keyword \
        --name PerdureRootChat --type Keyword; then
        exit 0
    fi
    echo "attempt $attempt: the namespace is not ready yet" >&2
    sleep 3
done
echo "the search attributes could not be made in namespace $TEMPORAL_NAMESPACE at $TEMPORAL_ADDRESS" >&2
exit 1
