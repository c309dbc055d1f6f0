"""GitHub's JSON shapes, as its OpenAPI description requires them (npm package ``@octokit/openapi``; schema named per function).

Addresses inside bodies begin with ``API``; the server puts its own address in their place when it answers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.commits import stranger_email
from sandbox.subjects import Commit, Repository, number_of

API = "https://api.github.com"
SITE = "https://github.com"
DOCS = "https://docs.github.com/rest"
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID."
)
# Addresses below a repository, in GitHub's order, with the templates GitHub appends.
REPO_LINKS = (
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
)
USER_LINKS = (
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
)
# The API version that removes fields, and what it removes from repositories.
SLIMMER_VERSION = "2026-03-10"
REMOVED_FIELDS = ("has_downloads", "use_squash_pr_title_as_default", "master_branch")


def instant(moment: datetime) -> str:
    """GitHub's spelling of a time: UTC, whole seconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int) -> str:
    """A GraphQL id in GitHub's newer spelling."""
    return f"{kind}_{base64.urlsafe_b64encode(number.to_bytes(8, 'big')).decode().rstrip('=')}"


def user(login: str, *, kind: str = "User") -> dict[str, Any]:
    """Schema ``simple-user``; a login ending in ``[bot]`` is a Bot."""
    address = f"{API}/users/{login.replace('[', '%5B').replace(']', '%5D')}"
    number = number_of(login)
    return {
        "login": login,
        "id": number,
        "node_id": node_id("U", number),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "gravatar_id": "",
        "url": address,
        "html_url": f"{SITE}/apps/{login[:-5]}" if login.endswith("[bot]") else f"{SITE}/{login}",
        **{key: address + rest for key, rest in USER_LINKS},
        "type": "Bot" if login.endswith("[bot]") else kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def repository(repo: Repository, api_version: str) -> dict[str, Any]:
    """Schema ``full-repository``; ``watchers`` counts stars and ``subscribers_count`` watchers, as GitHub has it."""
    address, site = f"{API}/repos/{repo.full_name}", f"{SITE}/{repo.full_name}"
    body = {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.is_private,
        "owner": user(repo.owner, kind="Organization" if repo.is_organisation else "User"),
        "html_url": site,
        "description": repo.description,
        "fork": repo.is_fork,
        "url": address,
        **{key: address + rest for key, rest in REPO_LINKS},
        "created_at": instant(repo.created_at),
        "updated_at": instant(repo.updated_at),
        "pushed_at": instant(repo.pushed_at),
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{site}.git",
        "svn_url": site,
        "homepage": repo.homepage,
        "size": 40 + repo.commit_count * 3,
        "stargazers_count": repo.stars,
        "watchers_count": repo.stars,
        "language": repo.language,
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": repo.forks,
        "mirror_url": None,
        "archived": repo.is_archived,
        "disabled": False,
        "open_issues_count": repo.open_issues,
        "license": _licence(repo.license),
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": list(repo.topics),
        "visibility": "private" if repo.is_private else "public",
        "forks": repo.forks,
        "open_issues": repo.open_issues,
        "watchers": repo.stars,
        "default_branch": repo.default_branch,
        "temp_clone_token": None,
        "network_count": repo.forks,
        "subscribers_count": repo.watchers,
    }
    if repo.is_organisation:
        body["organization"] = body["owner"]
    if api_version >= SLIMMER_VERSION:
        for name in REMOVED_FIELDS:
            body.pop(name, None)
    return body


def _licence(spdx: str | None) -> dict[str, Any] | None:
    """Schema ``nullable-license-simple``."""
    if spdx is None:
        return None
    is_known = spdx != "NOASSERTION"
    key = spdx.lower() if is_known else "other"
    address = f"{API}/licenses/{key}" if is_known else None
    return {
        "key": key,
        "name": f"{spdx} licence" if is_known else "Other",
        "spdx_id": spdx,
        "url": address,
        "node_id": node_id("L", number_of(key)),
    }


def contributor(login: str, contributions: int) -> dict[str, Any]:
    """Schema ``contributor``."""
    return {**user(login), "contributions": contributions}


def anonymous_contributor(repo: Repository, index: int) -> dict[str, Any]:
    """Schema ``contributor`` for an address that belongs to no account: no login."""
    return {"email": stranger_email(repo.id, f"{index}"), "name": f"Anonymous {index}", "type": "Anonymous", "contributions": 1}


def commit(repo: Repository, made: Commit, before: Sequence[Commit]) -> dict[str, Any]:
    """Schema ``commit``; ``before``: the next two of the log, its parents as far as it has them."""
    address = f"{API}/repos/{repo.full_name}"
    tree = hashlib.sha1(made.oid.encode(), usedforsecurity=False).hexdigest()
    account = user(made.login) if made.login else None
    name = made.login or "Somebody"
    return {
        "sha": made.oid,
        "node_id": node_id("C", number_of(made.oid)),
        "commit": {
            "author": {"name": name, "email": made.email, "date": instant(made.authored_at)},
            "committer": {"name": name, "email": made.email, "date": instant(made.committed_at)},
            "message": f"Change {made.oid[:7]}",
            "tree": {"sha": tree, "url": f"{address}/git/trees/{tree}"},
            "url": f"{address}/git/commits/{made.oid}",
            "comment_count": 0,
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None},
        },
        "url": f"{address}/commits/{made.oid}",
        "html_url": f"{SITE}/{repo.full_name}/commit/{made.oid}",
        "comments_url": f"{address}/commits/{made.oid}/comments",
        "author": account,
        "committer": account,
        "parents": [
            {"sha": parent.oid, "url": f"{address}/commits/{parent.oid}", "html_url": f"{SITE}/{repo.full_name}/commit/{parent.oid}"}
            for parent in before[: made.parents_count]
        ],
    }


def problem(message: str, documentation: str, status: int) -> dict[str, Any]:
    """Schema ``basic-error``."""
    return {"message": message, "documentation_url": documentation, "status": str(status)}
