# Sourced by scripts/start and scripts/test after find-node.sh. POSIX sh.

check_machine() {
  [ "$(uname -s)" = Linux ] || fail "Sluice runs on Linux; this is $(uname -s)"
  case "$(uname -m)" in
    x86_64 | aarch64 | arm64) ;;
    *) fail "Sluice needs a 64-bit x86 or ARM processor and system; this is $(uname -m)" ;;
  esac
  [ "$(getconf LONG_BIT)" = 64 ] || fail "this is a 32-bit system on a 64-bit processor: install the 64-bit Raspberry Pi OS"
}

# What npm installs depends on these files alone.
packages_stamp() {
  cat "$root/package-lock.json" "$root/.npmrc" | cksum
}

packages_current() {
  [ "$(cat "$root/node_modules/.sluice-stamp" 2>/dev/null)" != "$(packages_stamp)" ] || return 0
  # Somebody may have called npm by hand.
  find_node && "$node" "$root/scripts/lib/packages-match.ts" "$root" || return 1
  packages_stamp >"$root/node_modules/.sluice-stamp"
}

install_packages() {
  ! packages_current || return 0
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail "Node.js and npm are missing: sudo apt install nodejs npm"
  npm_version=$(npm --version)
  [ "${npm_version%%.*}" -ge 9 ] ||
    fail "npm $npm_version is too old, 9 or newer is needed: sudo npm install -g npm@9, or a Debian from 12 on"
  [ -w "$root" ] || fail "$root is not writable for $(id -un): clone the project into a directory of your own"
  echo "Installing the packages, Node.js 24 among them (once, less than a minute) …"
  # Engine warnings come from npm itself running on an older Node.js; the gateway does not.
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) ||
    fail "npm could not install the packages: read its lines above; most often the network or a proxy setting is missing"
  find_node || fail "the packages are installed, but no Node.js 24 came with them: install Node.js 24 from nodejs.org"
  # npm 9 with --ignore-scripts leaves node_modules/.bin empty, and its rebuild leaves Node.js itself out.
  [ -e "$root/node_modules/.bin/tsc" ] || (cd "$root" && npm rebuild --ignore-scripts --loglevel=error >/dev/null)
  [ -e "$root/node_modules/.bin/node" ] || ln -s "$node" "$root/node_modules/.bin/node"
  packages_stamp >"$root/node_modules/.sluice-stamp"
}

build() {
  if [ -f "$root/dist/.built" ]; then
    newer=$(find "$root/src" "$root/package.json" "$root/rolldown.config.ts" \
      "$root/node_modules/.sluice-stamp" -newer "$root/dist/.built" | head -n 1)
    [ -n "$newer" ] || return 0
  fi
  echo "Building …"
  # Whoever runs the old build keeps it until the new one is whole.
  fresh=$root/.cache/dist-$$
  mkdir -p "$root/.cache"
  touch "$fresh.begun" # before the sources are read: what changes meanwhile is newer
  (cd "$root" && "$node" node_modules/rolldown/bin/cli.mjs --config rolldown.config.ts --dir "$fresh" >/dev/null) ||
    { rm -rf "$fresh" "$fresh.begun" && fail "the build failed: read the lines above"; }
  touch -r "$fresh.begun" "$fresh/.built"
  rm "$fresh.begun"
  rm -rf "$root/dist"
  mv "$fresh" "$root/dist"
}
