#!/bin/sh
# Believed: importing jsonschema is cheap, and what checks formats costs something when a format is checked.
# Seen: with the extra format-nongpl, `import jsonschema` builds 39 parsers of the grammar of IRIs (RFC 3987) before any
#   schema is seen: 1.0 to 1.2 s of CPU time instead of 0.05 s (n = 2), in each process anew. jsonschema asks one of
#   them, and only for the formats iri and iri-reference. Without the extra none is built.
# Way out: import it (and nbformat, papermill, jupyter-events, which import it) where it is used, and not at the top of
#   a module that every process reads.
# Versions: jsonschema 4.26.0, rfc3987-syntax 1.1.0, lark 1.3.1 (the newest), CPython 3.11, Linux.
# Source: jsonschema/_format.py imports rfc3987_syntax at module level where it is installed; its syntax_helpers.py makes
#   a function for each of 38 terms of the grammar, and each of these builds an Earley parser of its own at once.
# Matters: jupyter-events needs that extra, so whatever reads or runs notebooks pays at each start: command lines,
#   kernels' clients, and each process that collects tests.
#
# Needs python3 with venv and a package index for pip. Everything lies in a temporary folder. Exit code: 0 while it
# behaves so, 1 when it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

cat > "$work/count.py" <<'PYTHON'
import importlib.metadata
import time

import lark

built = []
init = lark.Lark.__init__


def counting(self, *words, **options):
    built.append(self)
    init(self, *words, **options)


lark.Lark.__init__ = counting
before = time.process_time()
import jsonschema

took_s = time.process_time() - before
at_import = len(built)
jsonschema.validate({"rate": 1}, {"type": "object", "required": ["rate"]})
print(f"jsonschema {importlib.metadata.version('jsonschema')}, lark {importlib.metadata.version('lark')}: "
      f"import takes {took_s:.2f} s of CPU time and builds {at_import} parsers, a validation {len(built) - at_import}")
print(at_import)
PYTHON

# parsers NAME PACKAGE…: how many an import builds where these packages are installed
parsers() {
    name=$1
    shift
    python3 -m venv "$work/$name"
    "$work/$name/bin/pip" install --quiet --disable-pip-version-check "lark==1.3.1" "$@"
    "$work/$name/bin/python" "$work/count.py" > "$work/first-$name"  # writes the bytecode
    "$work/$name/bin/python" "$work/count.py" > "$work/said-$name"
    echo "$name: $(head -1 "$work/said-$name")" >&2
    tail -1 "$work/said-$name"
}

python3 --version
plain=$(parsers without "jsonschema==4.26.0")
extra=$(parsers with "jsonschema[format-nongpl]==4.26.0" "rfc3987-syntax==1.1.0")
if [ "$plain" = 0 ] && [ "$extra" = 39 ]; then
    echo "as described"
else
    echo "NOT as described: it behaves otherwise now"
    exit 1
fi
