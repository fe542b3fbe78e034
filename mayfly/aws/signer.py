"""The Signer port: URLs signed with a role that was assumed for it, so that their end is known.

A URL dies with the credentials it was signed with, whatever it says itself, and nobody knows when
a Lambda's own credentials die. So it must never sign with them: only with a session of the signer
role, young enough that every URL outlives its grant.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from mayfly.aws import clients, errors
from mayfly.contract.task import Fetch, PostForm
from mayfly.core import limits
from mayfly.perform.ports import Clock

#: Shown in CloudTrail and in S3's access logs.
SESSION_NAME = "mayfly-grants"

MakeClient = Callable[..., Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    client: Any
    assumed_at: float
    ends_at: float


class StsSigner:
    """Signs for one role. Its session is shared by all calls of a warm Lambda."""

    def __init__(
        self,
        sts: Any,
        role_arn: str,
        clock: Clock,
        *,
        make_client: MakeClient = clients.signing_s3,
    ) -> None:
        self._sts = sts
        self._role_arn = role_arn
        self._clock = clock
        self._make_client = make_client
        self._session: _Session | None = None

    def grants_end_at(self) -> float:
        """GRANT_SECONDS from now, or earlier if AWS gave a shorter session than was asked for."""
        now = self._clock.now()
        return min(now + limits.GRANT_SECONDS, self._fresh(now).ends_at)

    def get(self, bucket: str, key: str, *, etag: str = "", version_id: str = "") -> Fetch:
        """The pin is signed: in the query (version), or as a header that must be sent (ETag)."""
        params = {"Bucket": bucket, "Key": key}
        headers: dict[str, str] = {}
        if version_id:
            params["VersionId"] = version_id
        elif etag:
            params["IfMatch"] = headers["if-match"] = f'"{etag.strip(chr(34))}"'
        with errors.judging("Signing a GET"):
            url = self._client().generate_presigned_url(
                "get_object", Params=params, ExpiresIn=limits.GRANT_SECONDS
            )
        return Fetch(url=url, headers=headers)

    def post(self, bucket: str, key_prefix: str, size_bytes_max: int) -> PostForm:
        """The form without its `key`, which the worker chooses under the prefix."""
        if not key_prefix:
            raise ValueError("A form without a prefix would open the whole bucket.")
        with errors.judging("Signing a POST"):
            signed = self._client().generate_presigned_post(
                bucket,
                # boto makes the condition `starts-with $key <prefix>` of it.
                key_prefix + "${filename}",
                Conditions=[["content-length-range", 0, size_bytes_max]],
                ExpiresIn=limits.GRANT_SECONDS,
            )
        fields = {name: value for name, value in signed["fields"].items() if name != "key"}
        return PostForm(
            url=signed["url"], fields=fields, key_prefix=key_prefix, size_bytes_max=size_bytes_max
        )

    def _client(self) -> Any:
        return self._fresh(self._clock.now()).client

    def _fresh(self, now: float) -> _Session:
        """The session, assumed anew when it is too old to outlive a grant."""
        session = self._session
        if session is None or not 0 <= now - session.assumed_at < limits.SIGNER_REUSE_SECONDS:
            session = self._session = self._assume(now)
        return session

    def _assume(self, now: float) -> _Session:
        with errors.judging("AssumeRole"):
            answer = self._sts.assume_role(
                RoleArn=self._role_arn,
                RoleSessionName=SESSION_NAME,
                DurationSeconds=limits.SIGNER_SESSION_SECONDS,
            )
        given = answer["Credentials"]
        client = self._make_client(
            access_key=given["AccessKeyId"],
            secret_key=given["SecretAccessKey"],
            session_token=given["SessionToken"],
        )
        return _Session(client=client, assumed_at=now, ends_at=given["Expiration"].timestamp())
