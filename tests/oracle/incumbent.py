"""The v4 API as Django REST framework makes it, to compare ours with. Runs in a virtual environment of its own.

    python incumbent.py RECORDS

``RECORDS`` is a JSON file of the rows to serve. Each line of stdin is a request, a JSON object with ``method``, ``target``
(as on the wire), ``headers`` (pairs) and ``body``; for each a line of stdout is the answer: ``status``, ``headers`` (pairs, in
order), ``body`` (hexadecimal). A request becomes a WSGI environment as gunicorn makes one, and the body of an answer to HEAD is
left out as a server does. Nothing listens, nothing is written.

Serializers, views and settings do what those of Django Packages do, without its sessions.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "PAGE_SIZE": 20,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="nothing is signed with it",  # noqa: S106 - it guards nothing
    STATIC_URL="/static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    TIME_ZONE="America/New_York",
    USE_TZ=True,
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - Django must be set up first
from django.db import connection, models  # noqa: E402 - as above
from django.urls import include, path  # noqa: E402 - as above
from rest_framework import mixins, routers, serializers, viewsets  # noqa: E402 - as above
from rest_framework.response import Response  # noqa: E402 - as above


class Category(models.Model):
    """A kind of packages."""

    title = models.TextField()
    slug = models.TextField()
    description = models.TextField()
    title_plural = models.TextField()
    show_pypi = models.BooleanField()
    created = models.DateTimeField()
    modified = models.DateTimeField()

    class Meta:
        app_label = "incumbent"


class Grid(models.Model):
    """A comparison of packages."""

    title = models.TextField()
    slug = models.TextField()
    description = models.TextField()
    is_locked = models.BooleanField()
    package_ids = models.JSONField()
    header = models.BooleanField()
    created = models.DateTimeField()
    modified = models.DateTimeField()

    class Meta:
        app_label = "incumbent"

    @property
    def packages_by_title(self):
        """Its packages in the order the list has them."""
        return Package.objects.filter(pk__in=self.package_ids).order_by("title", "id")


class Package(models.Model):
    """An entry of the catalog."""

    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    grid_ids = models.JSONField()
    title = models.TextField()
    slug = models.TextField()
    last_updated = models.DateTimeField(null=True)
    last_fetched = models.DateTimeField(null=True)
    repo_url = models.TextField()
    pypi_version = models.TextField(null=True)
    created = models.DateTimeField()
    modified = models.DateTimeField()
    repo_forks = models.IntegerField(null=True)
    repo_description = models.TextField(null=True)
    pypi_url = models.TextField()
    documentation_url = models.TextField(null=True)
    repo_watchers = models.IntegerField(null=True)
    commits_over_52 = models.JSONField()
    participants = models.JSONField()

    class Meta:
        app_label = "incumbent"

    @property
    def grids_by_id(self):
        """Its grids in the order of their ids."""
        return Grid.objects.filter(pk__in=self.grid_ids).order_by("id")


class Found(models.Model):
    """What search finds."""

    description = models.TextField(null=True)
    title = models.TextField()
    title_no_prefix = models.TextField()
    slug_no_prefix = models.TextField()
    clean_title = models.TextField()
    absolute_url = models.TextField()
    created = models.DateTimeField()
    modified = models.DateTimeField()
    weight = models.IntegerField(null=True)
    item_type = models.TextField()
    slug = models.TextField()
    category = models.TextField()
    repo_watchers = models.IntegerField(null=True)
    repo_forks = models.IntegerField(null=True)
    pypi_downloads = models.IntegerField(null=True)
    score = models.IntegerField(null=True)
    usage = models.IntegerField(null=True)
    participants = models.TextField()
    last_committed = models.DateTimeField(null=True)
    last_released = models.DateTimeField(null=True)

    class Meta:
        app_label = "incumbent"


class CategorySerializer(serializers.ModelSerializer):
    """Spells a category."""

    class Meta:
        model = Category
        fields = ["id", "title", "slug", "description", "title_plural", "show_pypi", "created", "modified"]


class GridSerializer(serializers.ModelSerializer):
    """Spells a grid."""

    packages = serializers.HyperlinkedRelatedField(
        many=True, read_only=True, source="packages_by_title", view_name="apiv4:package-detail", lookup_url_kwarg="pk_or_slug"
    )

    class Meta:
        model = Grid
        fields = ["id", "title", "slug", "description", "is_locked", "packages", "header", "created", "modified"]


class PackageSerializer(serializers.ModelSerializer):
    """Spells a package."""

    category = serializers.HyperlinkedRelatedField(read_only=True, view_name="apiv4:category-detail")
    grids = serializers.HyperlinkedRelatedField(
        many=True, read_only=True, source="grids_by_id", view_name="apiv4:grid-detail", lookup_url_kwarg="pk_or_slug"
    )
    commits_over_52 = serializers.ListField()
    participants = serializers.ListField()

    class Meta:
        model = Package
        fields = [
            "category",
            "grids",
            "id",
            "title",
            "slug",
            "last_updated",
            "last_fetched",
            "repo_url",
            "pypi_version",
            "created",
            "modified",
            "repo_forks",
            "repo_description",
            "pypi_url",
            "documentation_url",
            "repo_watchers",
            "commits_over_52",
            "participants",
        ]


class FoundSerializer(serializers.ModelSerializer):
    """Spells what search finds."""

    class Meta:
        model = Found
        exclude = ["id"]


class ByIdOrSlug:
    """Takes digits for an id and everything else for a slug."""

    lookup_url_kwarg = "pk_or_slug"

    @property
    def lookup_field(self):
        """The column to look in."""
        return "pk" if self.kwargs[self.lookup_url_kwarg].isdigit() else "slug"


class SearchV3ViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Accepts a 'q' GET parameter.

    Returns SearchV3 (PostgreSQL FTS) results.
    """

    serializer_class = FoundSerializer
    queryset = Found.objects.none()

    def list(self, request):
        """Find by a part of the title: how it is found is not what is compared."""
        question = request.GET.get("q", "").strip()
        rows = Found.objects.filter(title__icontains=question)[:20] if question else Found.objects.none()
        return Response(self.get_serializer(rows, many=True).data)


class PackageViewSet(ByIdOrSlug, viewsets.ReadOnlyModelViewSet):
    """
    API endpoint that allows packages to be viewed or edited.
    """  # noqa: D200, D212 - laid out as in Django Packages: OPTIONS prints it

    queryset = Package.objects.order_by("-id")
    serializer_class = PackageSerializer


class GridViewSet(ByIdOrSlug, viewsets.ReadOnlyModelViewSet):  # noqa: D101 - OPTIONS would print it
    queryset = Grid.objects.order_by("-id")
    serializer_class = GridSerializer


class CategoryViewSet(viewsets.ReadOnlyModelViewSet):  # noqa: D101 - OPTIONS would print it
    queryset = Category.objects.order_by("-id")
    serializer_class = CategorySerializer


router = routers.DefaultRouter()
router.register("packages", PackageViewSet, basename="package")
router.register("search", SearchV3ViewSet, basename="search")
router.register("grids", GridViewSet, basename="grid")
router.register("categories", CategoryViewSet, basename="category")
urlpatterns = [path("api/v4/", include((router.urls, "apiv4"), namespace="apiv4"))]


def load(records: dict) -> None:
    """Fill the tables."""
    with connection.schema_editor() as editor:
        for model in (Category, Grid, Package, Found):
            editor.create_model(model)
    for model, name in ((Category, "categories"), (Grid, "grids"), (Package, "packages"), (Found, "found")):
        for record in records[name]:
            row = {key: datetime.fromisoformat(value) if value and key in _times(model) else value for key, value in record.items()}
            model.objects.create(**row)


def _times(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.fields if isinstance(field, models.DateTimeField)}


def environment(asked: dict) -> dict:
    """Make the WSGI environment of a request."""
    raw_path, _, query = asked["target"].partition("?")
    body = asked["body"].encode("latin-1")
    made = {
        "REQUEST_METHOD": asked["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in asked["headers"]:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        made[key] = f"{made[key]},{value}" if key in made else value
    return made


def main() -> None:
    """Answer every line."""
    logging.disable()
    load(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    application = get_wsgi_application()
    for line in sys.stdin:
        asked = json.loads(line)
        said = {}

        def start(status: str, headers: list, exc_info: object = None, said: dict = said) -> None:
            assert exc_info is None
            said.update(status=int(status.partition(" ")[0]), headers=headers)

        answer = application(environment(asked), start)
        body = b"".join(answer)
        answer.close()
        said["body"] = "" if asked["method"] == "HEAD" else body.hex()
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
