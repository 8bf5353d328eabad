# Sourced by scripts/test: the programs that the tests talk to. POSIX sh.

# Debian's packages for what is missing, one a line.
missing_packages() {
  command -v npm >/dev/null || printf 'nodejs\nnpm\n'
  java_17 || java_package
  command -v mvn >/dev/null || echo maven
  command -v gcc >/dev/null || echo gcc
  command -v g++ >/dev/null || echo g++
  command -v mkfs.ext4 >/dev/null || echo e2fsprogs
  command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || echo mosquitto
  command -v mosquitto_pub >/dev/null || echo mosquitto-clients
  command -v kcat >/dev/null || echo kcat
  command -v socat >/dev/null || echo socat
  command -v openssl >/dev/null || echo openssl
  command -v curl >/dev/null || echo curl
  [ -x /usr/bin/chromium ] || echo chromium
  command -v setpriv >/dev/null || echo util-linux
  /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
  /usr/bin/python3 -c 'import paho.mqtt.client' 2>/dev/null || echo python3-paho-mqtt
}

java_17() {
  command -v java >/dev/null || return 1
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge 17 ]
}

# The oldest one that is new enough and that this system has.
java_package() {
  for version in 17 21 25; do
    if apt-cache show "openjdk-$version-jdk-headless" >/dev/null 2>&1; then
      echo "openjdk-$version-jdk-headless"
      return
    fi
  done
  echo default-jdk-headless
}

install_test_tools() {
  # Debian keeps the mosquitto broker where only root's PATH leads.
  PATH=$PATH:/usr/sbin
  packages=$(missing_packages | tr '\n' ' ')
  [ -n "$packages" ] || return 0
  [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null ||
    fail "the tests need more programs: sudo apt-get install $packages"
  echo "── installing $packages"
  apt-get update -q >/dev/null || fail "apt-get update failed: read the lines above"
  # Java's package can only be chosen once apt knows its packages.
  packages=$(missing_packages | tr '\n' ' ')
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages >"$work/apt.log" ||
    { cat "$work/apt.log" && fail "apt-get could not install $packages"; }
}
