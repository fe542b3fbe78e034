"""The registry that the worker's image is pulled from: one repository a stack, made when missing.

The repository stands outside the template: the image must be in it before the first task
definition names it. It never prints the registry's password, which is good for twelve hours.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from mayfly.aws.assets import Clients

#: Older images are for looking back; a running service names its image by digest.
_IMAGES_KEPT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a tool needs to push."""

    registry: str
    user: str
    password: str = field(repr=False)


def repository_of(stack_name: str) -> str:
    """The stack's repository: ECR wants lower case."""
    return f"{stack_name.lower()}/worker"


def ensure_repository(clients: Clients, stack_name: str) -> str:
    """The repository's URI; makes it, scanned and with tags that cannot be moved."""
    ecr = clients("ecr")
    name = repository_of(stack_name)
    try:
        found = ecr.describe_repositories(repositoryNames=[name])["repositories"]
        return str(found[0]["repositoryUri"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "RepositoryNotFoundException":
            raise
    made = ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=[{"Key": "mayfly:stack", "Value": stack_name}],
    )
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(_KEEP_THE_LAST))
    return str(made["repository"]["repositoryUri"])


def login(clients: Clients) -> Login:
    """A password for pushing, as `docker login --password-stdin` takes it."""
    answer = clients("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    registry = answer["proxyEndpoint"].removeprefix("https://")
    return Login(registry=registry, user=user, password=password)


def digest_of(clients: Clients, stack_name: str, tag: str) -> str | None:
    """The digest of an image that is already there."""
    try:
        found = clients("ecr").describe_images(
            repositoryName=repository_of(stack_name), imageIds=[{"imageTag": tag}]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ImageNotFoundException":
            return None
        raise
    details: list[Any] = found["imageDetails"]
    return str(details[0]["imageDigest"]) if details else None


def remove_repository(clients: Clients, stack_name: str) -> bool:
    """Deletes the repository with its images; false when there was none."""
    try:
        clients("ecr").delete_repository(repositoryName=repository_of(stack_name), force=True)
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            return False
        raise
    return True


_KEEP_THE_LAST = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": _IMAGES_KEPT,
            },
            "action": {"type": "expire"},
        }
    ]
}
