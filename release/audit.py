"""Ask for known vulnerabilities of everything in the locks, by a tool that has to prove itself first.

An audit behind a mirror that knows no advisories finds nothing, and would be green. So a version whose vulnerability everybody knows
is asked about first (the canary): where that is not reported, nothing can be said, and that is what is said.

    python release/audit.py [--osv-url URL] LOCK...

Exit codes: 0 nothing known, or nothing can be said (stderr says which); 1 a vulnerability, or a package nobody could tell about.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CANARY = "jinja2==2.4.1"  # CVE-2014-1402 and others
SERVICES = ("pypi", "osv")
TIMEOUT_SECONDS = "15"
# Advisories that do not concern us, with the reason: {"PYSEC-0000-0": "we never call it"}.
ACCEPTED: dict[str, str] = {}


def audited(requirements: Path, service: list[str]) -> list[dict[str, Any]] | None:
    """What the service says of each package: ``name``, ``version`` and ``vulns``, or a ``skip_reason``; ``None`` without an answer."""
    accepted = [word for advisory in ACCEPTED for word in ("--ignore-vuln", advisory)]
    command = [sys.executable, "-m", "pip_audit", *service, "--format", "json", "--progress-spinner", "off", "--timeout", TIMEOUT_SECONDS]
    command += ["--no-deps", "--disable-pip", *accepted, "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return None


def honest_service(offered: list[list[str]]) -> list[str] | None:
    """The first service that reports the canary; ``None`` when none does."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(CANARY + "\n", encoding="utf-8")
        return next((service for service in offered if any(item.get("vulns") for item in audited(canary, service) or ())), None)


def main() -> int:
    """Audit the locks that were named."""
    parser = argparse.ArgumentParser(prog="python release/audit.py")
    parser.add_argument("locks", nargs="+", type=Path, metavar="LOCK")
    parser.add_argument("--osv-url", help="an OSV service to ask instead of PyPI's and OSV's own")
    options = parser.parse_args()
    offered = [["-s", "osv", "--osv-url", options.osv_url]] if options.osv_url else [["-s", name] for name in SERVICES]
    service = honest_service(offered)
    if service is None:
        print(f"cannot audit: no advisory service within reach knows that {CANARY} is vulnerable. Nothing was judged.", file=sys.stderr)
        return 0
    found = 0
    for lock in options.locks:
        packages = audited(lock, service)
        if packages is None:
            print(f"{lock}: the service gave no answer. Next: run it again", file=sys.stderr)
            return 1
        for item in packages:
            if "skip_reason" in item:
                found += 1
                print(f"{lock}: {item['name']}: not audited: {item['skip_reason']}", file=sys.stderr)
            for vulnerability in item.get("vulns", ()):
                found += 1
                mended = ", ".join(vulnerability["fix_versions"]) or "no version"
                print(f"{lock}: {item['name']} {item['version']}: {vulnerability['id']}, mended in {mended}", file=sys.stderr)
        print(f"{lock}: {len(packages)} packages audited ({' '.join(service[1:2])}).")
    if found:
        print("Next: raise the pins and run `make lock`, or accept an advisory with its reason in release/audit.py", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
