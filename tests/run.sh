#!/usr/bin/env bash
# Builds everything and runs every test. Installs with apt-get what tests need and this machine lacks, and says so.
# The last line is "N passed, N failed, N skipped"; the exit code is 0 only if nothing failed.
#
#   bash tests/run.sh                 everything
#   bash tests/run.sh Unit Simulation only the test projects whose names contain one of the words
set -uo pipefail
cd "$(dirname "$0")/.."
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
log=$(mktemp)
# The tests write down what Drydock calls the API server; at the end the deployed roles are held against it.
DRYDOCK_CALLS=$(mktemp -d)
export DRYDOCK_CALLS
trap 'rm -rf "$log" "$DRYDOCK_CALLS"' EXIT

retry() { # command...: what needs the network gets three tries
  local try
  for try in 1 2 3; do
    "$@" && return
    [ $try = 3 ] || { echo "tests/run.sh: once more in $((try * 10)) s: $*" >&2; sleep $((try * 10)); }
  done
  return 1
}
apt_get() { # apt-get that asks nothing and waits for its turn: a fresh machine may be upgrading itself
  local sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
install_packages() { apt_get install -y "$@" || { apt_get update && apt_get install -y "$@"; }; }
need() { # command package [option of apt-get]
  command -v "$1" >/dev/null 2>&1 && return
  echo "tests/run.sh: installing $2 (for $1)"
  retry install_packages ${3:-} "$2" >"$log" 2>&1 \
    || { cat "$log" >&2; echo "tests/run.sh: could not install $2; install it by hand and run again" >&2; exit 1; }
}
need kubectl kubernetes-client
# The simulator is judged by the old kubectl that Debian ships, also where a newer one is installed.
debian_kubectl=$PWD/artifacts/debian/kubectl
download_kubectl() { apt-get download -qq kubernetes-client || { apt_get update && apt-get download -qq kubernetes-client; }; }
if ! dpkg -s kubernetes-client >/dev/null 2>&1 && [ ! -x "$debian_kubectl/usr/bin/kubectl" ]; then
  mkdir -p "$debian_kubectl"
  (cd "$debian_kubectl" && retry download_kubectl && dpkg-deb -x kubernetes-client_*.deb . && rm kubernetes-client_*.deb) >"$log" 2>&1 \
    || { cat "$log" >&2; echo "tests/run.sh: Debian's kubernetes-client could not be downloaded; its tests take $(command -v kubectl)" >&2; }
fi
[ ! -x "$debian_kubectl/usr/bin/kubectl" ] || export DRYDOCK_TEST_KUBECTL=$debian_kubectl/usr/bin/kubectl
need node nodejs
need npm npm
need zsh zsh
need fish fish
# It only reads docker-compose.yml here; what it recommends is a container engine.
need docker-compose docker-compose --no-install-recommends
# Debian keeps the programs of PostgreSQL out of the path; tests make a server of their own with them.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
# A foreign Durable Task SDK, as a client of our hub; exactly the versions of the committed lock file. npm writes its own once all is there.
js=tests/Drydock.ConformanceTests/JavaScript
[ "$js/node_modules/.package-lock.json" -nt "$js/package-lock.json" ] \
  || retry npm ci --prefix "$js" --prefer-offline --fetch-retries=5 --no-audit --no-fund --loglevel=error \
  || echo "tests/run.sh: npm ci failed; without it the tests of the JavaScript SDK fail" >&2

build() { # project option...: the packages first, since only they need the network
  retry dotnet restore "$@" -v quiet && dotnet build "$@" --no-restore -c Release -v quiet -nologo -clp:ErrorsOnly
}
echo "tests/run.sh: building (Release)"
# The orchestrations, the operator and the server must also build against the official SDK's API (src/README.md, "Two SDKs, one source").
{ build Workflows.sln && build src/Drydock.Server -p:DurableTaskSdk=Stub; } || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }

passed=0 failed=0 skipped=0 unended=""
# Of one project; it is there for what hangs. The slowest project takes a quarter of that on two cores.
limit=5400
for project in tests/Drydock.*Tests/*.csproj; do
  name=$(basename "$project" .csproj)
  if [ $# -gt 0 ]; then
    wanted=0; for word in "$@"; do [[ $name == *"$word"* ]] && wanted=1; done
    [ $wanted = 1 ] || continue
  fi
  echo "tests/run.sh: $name"
  # It stops all that the project has started, by force a minute later.
  timeout -k 60 $limit dotnet run --no-build -c Release --project "$project" -- -noLogo -noColor 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  summary=$(grep -E 'Total: [0-9]+' "$log" | tail -1)
  number() { grep -oE "$1: [0-9]+" <<<"$summary" | grep -oE '[0-9]+' | tail -1; }
  total=$(number Total) bad=$(( $(number Failed || echo 0) + $(number Errors || echo 0) )) skip=$(number Skipped || true)
  # Explicit tests are run by hand only (minutes-long sweeps); the runner counts them in its total.
  explicit=$(number "Not Run" || true)
  case $code in 124 | 137) echo "tests/run.sh: $name was stopped, after $limit s or by somebody else" >&2 ;; esac
  if [ -z "$total" ]; then # it died before it could count: a crash is a failure
    failed=$((failed + 1)) unended=$name; echo "tests/run.sh: $name ended with code $code without a summary" >&2; continue
  fi
  [ "$code" != 0 ] && [ "$bad" = 0 ] && bad=1
  failed=$((failed + bad)); skipped=$((skipped + ${skip:-0})); passed=$((passed + total - bad - ${skip:-0} - ${explicit:-0}))
done
if [ -n "$unended" ]; then
  echo "tests/run.sh: the deployed roles are not held against the calls of all tests: $unended has not made all of its own" >&2
elif [ $# = 0 ]; then
  echo "tests/run.sh: the deployed roles against the calls of all tests"
  if dotnet run --no-build -c Release --project tests/Drydock.ConformanceTests -- -noLogo -noColor -explicit only -class '*RoleUseTests'; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
