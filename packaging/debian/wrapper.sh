#!/bin/sh
# Runs @program@ with the Node.js of the package, or with another one that FULMAR_NODE names.
node=${FULMAR_NODE:-/usr/lib/fulmar/node}
[ -x "$node" ] || node=/usr/bin/node
exec "$node" /usr/lib/fulmar/dist/bin/@program@.js "$@"
