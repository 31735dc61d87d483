#!/usr/bin/env python3
"""Reads what `go test -json` printed and says how it ended; exits with 1 when a test was
skipped or none passed, and when anything failed.

With a second argument, a file: up to two tests that failed are written there, "PACKAGE
NAME" a line, to be run again. More than two fail at once, and so does a package that did
not build or did not come to its end (a panic, a hang, a kill): its other tests were not
run. A data race is never run again: it is there, however seldom it is seen.
"""
import json, sys

out, bad, passed, skipped, begun = {}, [], 0, [], set()
for line in open(sys.argv[1], errors="replace"):
    try:
        e = json.loads(line)
    except ValueError:
        print(line, end="")
        continue
    key = (e.get("Package", ""), e.get("Test", ""))
    if not key[1]:
        (begun.discard if e["Action"] in ("pass", "fail", "skip") else begun.add)(key[0])
    if e["Action"] == "output":
        out.setdefault(key, []).append(e["Output"])
    elif e["Action"] == "pass" and key[1]:
        passed += 1
    elif e["Action"] == "skip" and key[1]:
        skipped.append(key)
    elif e["Action"] == "fail":
        bad.append(key)
    elif e["Action"] == "build-output":
        print(e["Output"], end="")
    if e["Action"] in ("pass", "fail") and not key[1]:
        print("ok  " if e["Action"] == "pass" else "FAIL", key[0], f'{e.get("Elapsed", 0):.1f}s')
for key in bad:
    print("--- FAIL", *key)
    print("".join(out.get(key, [])[-60:]))
for key in skipped:
    print("--- SKIP", *key)
print(f"tests: {passed} passed, {sum(1 for b in bad if b[1])} failed, {len(skipped)} skipped")

# A test program that came to its end and had failures says so in a line of its own.
ended = lambda package: "FAIL\n" in out.get((package, ""), [])
tests = {(package, test.split("/")[0]) for package, test in bad if test}
unended = begun - {""}
raced = any("DATA RACE" in line or "race detected during" in line for lines in out.values() for line in lines)
died = list(unended)
died += [package for package, test in bad if not test and not (ended(package) and package in dict(tests))]
if len(sys.argv) > 2:
    again = sorted(tests) if len(tests) <= 2 and not died and not raced else []
    with open(sys.argv[2], "w") as f:
        f.writelines(f"{package} {test}\n" for package, test in again)
    if again:
        bad = []
for package in unended:
    print("--- NO END", package)
sys.exit(1 if bad or unended or skipped or not passed else 0)
