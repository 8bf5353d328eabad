# Sourced by the scripts with $root set. POSIX sh.

fail() {
  printf 'scripts/%s: %s\n' "$(basename -- "$0")" "$1" >&2
  exit "${2:-1}"
}

# Sets $node to a Node.js 24: the one that comes with the packages, else the one on PATH. Returns 1 when there is none.
find_node() {
  for node in "$root"/node_modules/node-linux-*/bin/node; do
    [ -x "$node" ] && return 0
  done
  node=$(command -v node) || return 1
  [ "$("$node" -p 'process.versions.node.split(".")[0] >= 24')" = true ]
}
