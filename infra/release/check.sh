#!/usr/bin/env bash
# Installs the wheel and the sdist in empty environments, one for each Python, and runs the quickstart there, outside of
# the checkout. Nothing of the checkout is changed.
#
#   infra/release/check.sh                        # python3.11, 3.12 and 3.13
#   infra/release/check.sh python3.12 /opt/python3.13/bin/python3
#   DIST=dist infra/release/check.sh              # files that were built before: one wheel, one sdist
#   LIMIT=20 infra/release/check.sh               # so many of the quickstart's 100 items
#
# pip chooses the versions, as it does for any user; PIP_CONSTRAINT=FILE limits them. torch from PyPI takes several
# gigabytes; one environment at a time is kept, in TMPDIR. On two busy cores, the whole took 34 and 54 minutes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
pythons=("$@")
if [[ $# -eq 0 ]]; then pythons=(python3.11 python3.12 python3.13); fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH VIRTUAL_ENV
export RAY_USAGE_STATS_ENABLED=0

say() { printf '== %s\n' "$*"; }
fail() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }

for python in "${pythons[@]}"; do
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python: not a Python of 3.11 or newer"
done

say "building and checking the files"
"${pythons[0]}" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet build twine
if [[ -z ${DIST:-} ]]; then
  DIST=$work/dist
  "$work/tools/bin/python" -m build --outdir "$DIST" "$root" >"$work/build.log" 2>&1 || { tail -30 "$work/build.log"; exit 1; }
fi
wheels=("$DIST"/*.whl) sdists=("$DIST"/*.tar.gz)
wheel=${wheels[0]} sdist=${sdists[0]}
[[ ${#wheels[@]} -eq 1 && ${#sdists[@]} -eq 1 && -f $wheel && -f $sdist ]] || fail "$DIST: expected one wheel and one sdist"
wheel=$(realpath "$wheel") sdist=$(realpath "$sdist")
"$work/tools/bin/python" -m twine check --strict "$wheel" "$sdist"
version=$(basename "$wheel" | cut -d- -f2)
[[ $(basename "$sdist") == "cotfaith-$version.tar.gz" ]] || fail "the versions of $wheel and $sdist differ"
if [[ $version =~ ^[0-9.]+$ ]]; then  # a release
  newest=$(grep -m1 '^## ' "$root/CHANGELOG.md")
  [[ $newest == "## $version "* ]] || fail "CHANGELOG.md: got '$newest' as the newest, expected '## $version (DATE)'"
fi

said() {  # the installed command says the version of the files
  local got
  got=$(cotfaith --version)
  [[ $got == "cotfaith $version" ]] || fail "cotfaith --version: got '$got', expected 'cotfaith $version'"
}

check() {  # in an environment of its own and an empty folder; $1: a Python
  local place=$work/here code=0
  "$1" -m venv "$work/venv"
  mkdir "$place"
  (
    cd "$place"
    PATH=$work/venv/bin:$PATH
    pip install --quiet "$wheel"
    said
    cotfaith list probes >/dev/null
    cotfaith init >/dev/null
    cotfaith init --example organisms >/dev/null
    sed -i.whole "s/ n: 100$/ n: ${LIMIT:-100}/" organisms.yaml
    cotfaith run organisms.yaml
    cotfaith validate organisms.yaml --out runs/organisms || code=$?
    [[ $code -le 1 ]] || exit "$code"  # 1: some metric failed, which is a finding
    [[ -s runs/organisms/report.html && -s runs/organisms/validation.md ]] || fail "the quickstart left no report"
    pip check
    pip freeze --exclude cotfaith >freeze.txt
    pip uninstall --quiet --yes cotfaith
    pip install --quiet "$sdist"
    said
  )
}

rows=()
for python in "${pythons[@]}"; do
  say "$("$python" --version)"
  began=$SECONDS
  check "$python"
  seen=$(grep -E '^(torch|transformers|numpy|ray)==' "$work/here/freeze.txt" | paste -sd ' ')
  rows+=("| $("$python" -c 'import platform; print(platform.python_version())') | $seen | $(((SECONDS - began + 59) / 60)) min |")
  rm -rf "$work/venv" "$work/here"
done

say "passed: cotfaith $version"
printf '| Python | with | took |\n| --- | --- | --- |\n'
printf '%s\n' "${rows[@]}"
