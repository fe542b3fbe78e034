"""What a template points at: read from CDK's cloud assembly, packed, put into a private bucket.

The bucket's name can be guessed from an account and a region, so every call names the account that
must own it. A bucket that this module did not make is used when the assembly asks for it, and never
changed or removed. It never signs anything and never asks STS before somebody deploys.
"""

import functools
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

#: Makes the client of a service: `boto3.Session().client`, or one bound to an endpoint.
Clients = Callable[[str], Any]

#: The bucket's tags say which stacks use it: it goes with the last of them.
_USED_BY = "mayfly:assets-of:"

#: A zip cannot hold a time before 1980; one fixed time makes equal folders equal zips.
_ZIPPED_AT = (1980, 1, 1, 0, 0, 0)

#: One DeleteObjects call takes a thousand keys.
_DELETE_BATCH = 1000


class AssemblyUnreadable(Exception):
    """The cloud assembly is missing or is not what `make synth` writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The account and the region that everything is put into."""

    account: str
    region: str
    partition: str

    @classmethod
    def of(cls, clients: Clients) -> "Place":
        """Asks who we are; the first call of a deployment, so that wrong credentials fail here."""
        sts = clients("sts")
        identity = sts.get_caller_identity()
        return cls(
            account=identity["Account"],
            region=sts.meta.region_name,
            partition=identity["Arn"].split(":")[1],
        )

    def fill(self, text: str) -> str:
        """The placeholders that an assembly made without an account leaves open."""
        return (
            text.replace("${AWS::AccountId}", self.account)
            .replace("${AWS::Region}", self.region)
            .replace("${AWS::Partition}", self.partition)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One object that the template needs, named by the hash of what it holds."""

    source: Path
    #: A folder to be zipped, or a file as it is.
    zipped: bool
    bucket: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """One stack as `make synth` wrote it."""

    template: Path
    assets: tuple[Asset, ...]
    #: What the template's author wants every resource to be tagged with.
    tags: Mapping[str, str]

    @property
    def template_asset(self) -> Asset:
        """The template is an asset too: a request takes 51,200 bytes of it, an object a million."""
        return next(asset for asset in self.assets if asset.source == self.template)


def read_assembly(folder: Path, place: Place) -> Assembly:
    """The assembly's one stack, with every asset's bucket and key filled in."""
    artifacts = _json(folder / "manifest.json")["artifacts"]
    stacks = [a for a in artifacts.values() if a["type"] == "aws:cloudformation:stack"]
    if len(stacks) != 1:
        raise AssemblyUnreadable(f"{folder} holds {len(stacks)} stacks; it must hold one.")
    properties = stacks[0]["properties"]
    template = folder / properties["templateFile"]
    manifests = [
        folder / artifact["properties"]["file"]
        for artifact in artifacts.values()
        if artifact["type"] == "cdk:asset-manifest"
    ]
    assets = [asset for manifest in manifests for asset in _assets_in(manifest, place)]
    if template not in [asset.source for asset in assets]:
        bucket = assets[0].bucket if assets else f"mayfly-assets-{place.account}-{place.region}"
        key = f"{hashlib.sha256(template.read_bytes()).hexdigest()}.json"
        assets.append(Asset(source=template, zipped=False, bucket=bucket, key=key))
    return Assembly(template=template, assets=tuple(assets), tags=properties.get("tags", {}))


def _assets_in(manifest: Path, place: Place) -> Iterator[Asset]:
    content = _json(manifest)
    if content.get("dockerImages"):
        raise AssemblyUnreadable(
            f"{manifest.name} wants an image built; the worker's image is a parameter instead."
        )
    for entry in content.get("files", {}).values():
        source = manifest.parent / entry["source"]["path"]
        for destination in entry["destinations"].values():
            yield Asset(
                source=source,
                zipped=entry["source"]["packaging"] == "zip",
                bucket=place.fill(destination["bucketName"]),
                key=place.fill(destination["objectKey"]),
            )


def _json(path: Path) -> Any:
    if not path.is_file():
        raise AssemblyUnreadable(f"{path} is missing: run `make synth`, which writes it.")
    return json.loads(path.read_bytes())


def publish(
    clients: Clients,
    place: Place,
    stack_name: str,
    assets: Sequence[Asset],
    said: Callable[[str], None],
) -> None:
    """Puts every asset that is not there yet; its key is its content's hash."""
    s3 = clients("s3")
    for bucket in sorted({asset.bucket for asset in assets}):
        _prepare_bucket(s3, place, bucket, stack_name, said)
    for asset in assets:
        owner = {"Bucket": asset.bucket, "ExpectedBucketOwner": place.account}
        if exists(functools.partial(s3.head_object, **owner, Key=asset.key)):
            continue
        with tempfile.TemporaryFile() as packed:
            if asset.zipped:
                zip_folder(asset.source, packed)
            else:
                packed.write(asset.source.read_bytes())
            said(f"uploads {asset.source.name} ({packed.tell() / 1e6:.1f} MB)")
            packed.seek(0)
            s3.put_object(**owner, Key=asset.key, Body=packed)


def zip_folder(folder: Path, target: Any) -> None:
    """Equal folders make equal zips: names in order, one time, two modes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIPPED_AT)
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def prune(clients: Clients, place: Place, stack_name: str, assets: Sequence[Asset]) -> None:
    """Removes what earlier deployments left; called when the stack runs on `assets` alone.

    No expiry by age could do this: a rollback needs the code that it rolls back to, however old.
    """
    s3 = clients("s3")
    for bucket in {asset.bucket for asset in assets}:
        owner = {"Bucket": bucket, "ExpectedBucketOwner": place.account}
        if _users(s3, owner) != {stack_name}:
            continue
        kept = {asset.key for asset in assets}
        pages = s3.get_paginator("list_objects_v2").paginate(**owner)
        found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        _delete(s3, owner, [{"Key": key} for key in found if key not in kept])


def release(clients: Clients, place: Place, stack_name: str, bucket: str) -> bool:
    """The stack needs its assets no more; true when the bucket went with it."""
    s3 = clients("s3")
    owner = {"Bucket": bucket, "ExpectedBucketOwner": place.account}
    users = _users(s3, owner)
    if stack_name not in users:
        return False
    if users != {stack_name}:
        _tag_users(s3, owner, users - {stack_name})
        return False
    empty_bucket(s3, owner)
    s3.delete_bucket(**owner)
    return True


def empty_bucket(s3: Any, owner: Mapping[str, str]) -> None:
    """Removes every object, every version and every unfinished upload."""
    for page in s3.get_paginator("list_multipart_uploads").paginate(**owner):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(**owner, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(**owner):
        listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        versions = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in listed]
        _delete(s3, owner, versions)


def _prepare_bucket(
    s3: Any, place: Place, bucket: str, stack_name: str, said: Callable[[str], None]
) -> None:
    """Makes the bucket when it is missing, and keeps to its rules one that we made."""
    owner = {"Bucket": bucket, "ExpectedBucketOwner": place.account}
    made = not exists(functools.partial(s3.head_bucket, **owner))
    if made:
        said(f"makes the bucket {bucket}")
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": place.region}}
        s3.create_bucket(Bucket=bucket, **({} if place.region == "us-east-1" else elsewhere))
    users = _users(s3, owner)
    if not made and not users:
        return
    _tag_users(s3, owner, users | {stack_name})
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(**owner, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(**owner, ServerSideEncryptionConfiguration={"Rules": [rule]})
    arn = f"arn:{place.partition}:s3:::{bucket}"
    only_tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [only_tls]}
    s3.put_bucket_policy(**owner, Policy=json.dumps(policy))


def _users(s3: Any, owner: Mapping[str, str]) -> set[str]:
    """The stacks that use the bucket; none for a bucket that is missing or is not ours."""
    try:
        tags = s3.get_bucket_tagging(**owner)["TagSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchTagSet", "NoSuchBucket"):
            return set()
        raise
    return {tag["Key"].removeprefix(_USED_BY) for tag in tags if tag["Key"].startswith(_USED_BY)}


def _tag_users(s3: Any, owner: Mapping[str, str], users: set[str]) -> None:
    tags = [{"Key": f"{_USED_BY}{user}", "Value": "yes"} for user in sorted(users)]
    s3.put_bucket_tagging(**owner, Tagging={"TagSet": tags})


def exists(ask: Callable[[], object]) -> bool:
    """False when the answer is 404; whatever else is wrong is raised."""
    try:
        ask()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _delete(s3: Any, owner: Mapping[str, str], objects: Sequence[Mapping[str, str]]) -> None:
    for first in range(0, len(objects), _DELETE_BATCH):
        batch = objects[first : first + _DELETE_BATCH]
        s3.delete_objects(**owner, Delete={"Objects": batch, "Quiet": True})
