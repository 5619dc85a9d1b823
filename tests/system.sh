#!/bin/sh
# What the tests need from the system: Java for Spark, a browser, fonts, programs that look at PDFs and QR codes, nginx and PHP.
# Debian as root gets them installed; elsewhere they are named.
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
java -version >/dev/null 2>&1 || missing="openjdk-17-jre-headless"
# The browser without what only a window needs; who cannot install it may have the whole one.
{ [ "$(id -u)" != 0 ] && command -v chromium >/dev/null 2>&1; } || need chromium-headless-shell chromium-headless-shell
need pdftoppm poppler-utils
need zbarimg zbar-tools
need php php-cli
PATH="$PATH:/usr/sbin" need nginx nginx-light
[ -n "$(find /usr/share/fonts "${HOME:-/root}/.fonts" -iname 'NotoSansCJK*' 2>/dev/null | head -n 1)" ] || missing="$missing fonts-noto-cjk"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    apt-get install --yes --no-install-recommends $missing >/dev/null 2>&1 ||
        { apt-get update >/dev/null && apt-get install --yes --no-install-recommends $missing >/dev/null; }
    exit 0
fi
echo "The tests need these Debian packages, or what your system calls them: $missing" >&2
[ "${CI:-}" = true ] && exit 1
echo "Without them the tests that need them are skipped." >&2
