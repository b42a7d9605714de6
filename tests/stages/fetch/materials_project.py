"""A stand-in for the Materials Project: its interface, and its bucket with Delta tables of densities of states."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from tests.stages.fetch.loopback import Reply, Request, file_reply
from tests.stages.raw_records import read_sample_materials_project

KEY = "c4n4ry0123456789abcdefghijklmnop"
VERSION = "2026.4.13"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Material:
    """One document of the raw file as it should come out, and what the interface says of it."""

    document: Mapping[str, Any]
    number: int

    @property
    def material_id(self) -> str:
        return f"mp-{self.number}"

    @property
    def identifier(self) -> str:
        """The eight letters of the number, base 26, that stand for its calculations in the tables."""
        digits, rest = "", self.number
        while rest:
            rest, digit = divmod(rest, 26)
            digits = LETTERS[digit] + digits
        return digits.rjust(8, "a")

    def summary(self) -> dict[str, Any]:
        phonons = {"dfpt": [self.material_id]} if self.document["phonon_dos"] else {}
        own = {name: value for name, value in self.document.items() if name not in ("dos", "phonon_dos", "description")}
        return {**own, "material_id": self.material_id, "phonon_IDs": phonons or None}

    def expected(self, spectra: Sequence[str] = ("electron_dos", "phonon_dos")) -> dict[str, Any]:
        """Return the fields of a downloaded document that a parser reads."""
        document = {**self.document, "material_id": self.material_id}
        document["dos"] = document["dos"] if "electron_dos" in spectra else None
        document["phonon_dos"] = document["phonon_dos"] if "phonon_dos" in spectra else None
        return document


def sample_materials(n: int) -> list[Material]:
    """Return the first documents of the sample under ids of the Materials Project."""
    return [Material(document, 149 + 997 * place) for place, document in enumerate(read_sample_materials_project()[:n])]


class MaterialsProject:
    """Answers requests: `/heartbeat` and `/materials/…` of the interface, and the bucket below `root`.

    Args:
        materials: all there are.
        root: a folder for the tables.
    """

    def __init__(self, materials: Sequence[Material], root: Path) -> None:
        self.materials = materials
        self.root = root
        _write_tables(materials, root)

    def __call__(self, request: Request) -> Reply:
        match request.path.strip("/").split("/"):
            case ["heartbeat"]:
                return _json({"db_version": VERSION, "version": "0.87.3", "access_controlled_batch_ids": []})
            case ["materials", *_]:
                if request.headers.get("X-Api-Key") != KEY:
                    return Reply(b'{"detail": "no"}', 401, {"Content-Type": "application/json"})
                return self._documents(request)
        return _s3(request, self.root)

    def _documents(self, request: Request) -> Reply:
        found = sorted((one for one in self.materials if _passes(one, request.query)), key=lambda one: one.material_id)
        fields = request.query["_fields"].split(",")
        limit, page = int(request.query["_limit"]), int(request.query.get("_page", 1))
        documents = [_DOCUMENTS[request.path](one) for one in found[(page - 1) * limit : page * limit]]
        data = [{name: one[name] for name in fields if name in one} for one in documents if one is not None]
        return _json({"data": data, "meta": {"total_doc": len(found)}})


def _robocrys(one: Material) -> dict[str, Any] | None:
    text = one.document["description"]
    return text and {"material_id": one.material_id, "description": text, "condensed_structure": {}}


def _electronic_structure(one: Material) -> dict[str, Any] | None:
    dos = one.document["dos"] and {"task_id": one.material_id, "total": {"1": {"band_gap": 0.0}}}
    return {"material_id": one.material_id, "dos": dos}


_DOCUMENTS = {
    "/materials/summary/": Material.summary,
    "/materials/robocrys/": _robocrys,
    "/materials/electronic_structure/": _electronic_structure,
}


def _passes(one: Material, query: Mapping[str, str]) -> bool:
    document = one.document
    elements = {species["element"] for site in document["structure"]["sites"] for species in site["species"]}
    has = {
        "dos": bool(document["dos"]),
        "phonon": bool(document["phonon_dos"]),
        "elasticity": bool(document["bulk_modulus"]),
    }
    ids = query.get("material_ids")
    return (
        (ids is None or one.material_id in ids.split(","))
        and int(query.get("nsites_min", 0)) <= document["nsites"] <= int(query.get("nsites_max", 10**9))
        and document["energy_above_hull"] <= float(query.get("energy_above_hull_max", 1e9))
        and set(filter(None, query.get("elements", "").split(","))) <= elements
        and all(has[name] for name in filter(None, query.get("has_props", "").split(",")))
    )


def _write_tables(materials: Sequence[Material], root: Path) -> None:
    """Write both tables, with rows of other calculations and of another method beside those that are wanted."""
    electrons: list[dict[str, Any]] = []
    phonons: list[dict[str, Any]] = []
    for one in materials:
        if dos := one.document["dos"]:
            row = {"energies": dos["energies"], "efermi": dos["efermi"], "run_type": "PBE"}
            densities = {"spin_up_densities": dos["densities"]["1"], "spin_down_densities": dos["densities"].get("-1")}
            electrons += [{"identifier": one.identifier, **row, **densities}]
            electrons += [{"identifier": f"z{one.identifier[1:]}", **row, **densities}]
        if dos := one.document["phonon_dos"]:
            for method, scale in (("dfpt", 1.0), ("pheasy", 2.0)):
                scaled = {"frequencies": dos["frequencies"], "densities": [scale * value for value in dos["densities"]]}
                phonons.append({"identifier": one.identifier, "phonon_method": method, "dos": scaled})
    numbers = pa.list_(pa.float64())
    electron_schema = pa.schema(
        [
            ("identifier", pa.string()),
            ("energies", numbers),
            ("efermi", pa.float64()),
            ("run_type", pa.string()),
            ("spin_up_densities", numbers),
            ("spin_down_densities", numbers),
        ]
    )
    phonon_schema = pa.schema(
        [
            ("identifier", pa.string()),
            ("phonon_method", pa.string()),
            ("dos", pa.struct([("frequencies", numbers), ("densities", numbers)])),
        ]
    )
    bucket = root / "materialsproject-parsed"
    for place, rows, schema, partition in (
        ("core/electronic-structure/total-dos", electrons, electron_schema, "run_type"),
        ("phonon/electronic-structure/dos", phonons, phonon_schema, "phonon_method"),
    ):
        (bucket / place).mkdir(parents=True)
        write_deltalake(str(bucket / place), pa.Table.from_pylist(rows, schema), partition_by=[partition])


def _s3(request: Request, root: Path) -> Reply:
    """Answer as S3 does: `ListObjectsV2`, and objects with ranges."""
    path = root / request.path.strip("/")
    if "list-type" in request.query:
        names = (str(file.relative_to(path)) for file in sorted(path.rglob("*")) if file.is_file())
        prefix, behind = request.query.get("prefix", ""), request.query.get("start-after", "")
        objects = "".join(
            f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>1</ETag>"
            f"<Size>{(path / name).stat().st_size}</Size></Contents>"
            for name in names
            if name.startswith(prefix) and name > behind
        )
        listing = f"<ListBucketResult><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        return Reply(listing.encode(), headers={"Content-Type": "application/xml"})
    if not path.is_file():
        return Reply(b"<Error><Code>NoSuchKey</Code></Error>", 404, {"Content-Type": "application/xml"})
    reply = file_reply(request, path.read_bytes())
    dated = {**reply.headers, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    return Reply(reply.body, reply.status, dated)


def _json(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})
