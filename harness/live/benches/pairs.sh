#!/bin/sh
# Nanoseconds for a pair of malloc and free in the example `keeps`: bare, with the library counting, and with a stack for
# each 512 KiB and each 64 KiB. Three rounds, one after the other, so that a busy machine shows. $1: the target folder.
set -eu
library=$(ls -t "$1"/build/steep-live-*/out/libsteep_live.so | head -1)
library=$(realpath "$library")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
with() { STEEP_LIVE_FOLDER="$folder" STEEP_LIVE_SAMPLE_EVERY="$1" LD_PRELOAD="$library" "$2"/examples/keeps pairs; }
echo "bare  counting  512 KiB  64 KiB"
for round in 1 2 3; do
    echo "$("$1"/examples/keeps pairs)  $(with 0 "$1")  $(with 524288 "$1")  $(with 65536 "$1")"
done
