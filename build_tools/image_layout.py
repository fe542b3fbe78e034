"""Reads an image as it lies on disk in the OCI layout, whatever tool wrote it.

For measuring an image and for looking into it without an engine. It never changes a layout.
"""

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, as it travels."""

    blob: Path
    media_type: str
    compressed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One image for one architecture."""

    folder: Path
    #: Of the manifest: what a task definition pins.
    digest: str
    #: What the image says about running it: user, environment, entry point.
    config: dict[str, Any]
    architecture: str
    layers: tuple[Layer, ...]

    @classmethod
    def read(cls, folder: Path) -> "Layout":
        """Follows the index to the one manifest that names layers."""

        def blob(digest: str) -> Path:
            return folder / "blobs" / digest.replace(":", "/", 1)

        digest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]
        manifest = json.loads(blob(digest).read_text())
        while "manifests" in manifest:  # an index within the index, as docker writes it
            digest = manifest["manifests"][0]["digest"]
            manifest = json.loads(blob(digest).read_text())
        image = json.loads(blob(manifest["config"]["digest"]).read_text())
        return cls(
            folder=folder,
            digest=digest,
            config=image["config"],
            architecture=image["architecture"],
            layers=tuple(
                Layer(
                    blob=blob(layer["digest"]),
                    media_type=layer["mediaType"].rpartition(".")[2],
                    compressed_bytes=layer["size"],
                )
                for layer in manifest["layers"]
            ),
        )

    @property
    def compressed_bytes(self) -> int:
        """What a task pulls, manifest and configuration aside."""
        return sum(layer.compressed_bytes for layer in self.layers)

    def unpack(self, root: Path) -> None:
        """Lays the layers over each other, owners and modes included, so it takes root.

        Nothing is filtered, since set-user-id bits are to be seen: only for images of our own.
        Reads gzip and plain layers. Deletions (`.wh.` files) are refused: an image that starts
        from nothing and only copies has none, and whoever adds one should hear of it.
        """
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for layer in self.layers:
            with tarfile.open(layer.blob) as archive:
                members = archive.getmembers()
                deletions = [each.name for each in members if "/.wh." in f"/{each.name}"]
                if deletions:
                    raise ValueError(f"A layer deletes {deletions[0]} of one below it.")
                # As an attribute, since Python before 3.11.4 knows no `filter` argument.
                archive.extraction_filter = _unfiltered
                archive.extractall(root, members)  # noqa: S202 - ours


def _unfiltered(member: tarfile.TarInfo, _path: str) -> tarfile.TarInfo:
    return member
