"""An application that has whatever a compiled route can have."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer, OAuth2PasswordBearer
from pydantic import BaseModel, Field


class Note(BaseModel):
    id: UUID
    title: str = Field(serialization_alias="Title")
    text: str | None = None
    stars: float = 0.5


class Search(BaseModel, extra="forbid"):
    limit: int = Field(default=20, ge=1, le=100)
    order: Literal["newest", "oldest"] = "newest"
    tags: list[str] = Field(default_factory=list)


class Languages(BaseModel):
    accept_language: str | None = None
    x_rank: list[int] = Field(default_factory=list)


class Refused(Exception):
    pass


class OddRefused(Refused):
    pass


@dataclass
class Caller:
    name: str
    number: int


bearer = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)
strict_bearer = HTTPBearer()


async def counted(request: Request) -> int:
    request.state.count = getattr(request.state, "count", 0) + 1
    return int(request.state.count)


async def caller(
    token: Annotated[str | None, Depends(bearer)], count: Annotated[int, Depends(counted)], lang: str = "en"
) -> Caller:
    if token == "refused":
        raise Refused
    if token == "odd":
        raise OddRefused
    if token == "gone":
        raise HTTPException(410, "gone", headers={"X-Why": "it went"})
    return Caller(f"{token} {lang}", count)


async def never_cached(count: Annotated[int, Depends(counted, use_cache=False)]) -> int:
    return count


async def etag(response: Response, note_id: str) -> str:
    response.headers["ETag"] = note_id.encode("ascii", "replace").decode()
    response.set_cookie("seen", "yes")
    response.status_code = 206
    return note_id


async def on_refused(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(type(error).__name__, status_code=403)


async def on_gone(request: Request, error: Exception) -> Response:
    return JSONResponse({"at": request["path_params"], "is": request["route"].path, "why": repr(error)}, 410)


AnyCaller = Annotated[Caller, Depends(caller)]
router = APIRouter(prefix="/notes", dependencies=[Depends(counted)])


@router.get("")
async def search(query: Annotated[Search, Query()], who: AnyCaller) -> list[Note]:
    return [Note(id=UUID(int=query.limit), title=f"{who.name} {query.order}", text=",".join(query.tags))]


@router.get("/latest", response_model_exclude_defaults=True, status_code=203)
async def latest(who: AnyCaller, again: Annotated[int, Depends(never_cached)], other: AnyCaller) -> Note:
    return Note(id=UUID(int=again), title=f"{who} {who is other}")


@router.get("/{note_id}", response_model_by_alias=False)
async def read(note_id: UUID, request: Request, q: int = 3, tag: Annotated[list[int], Query()] = [1]) -> Note:  # noqa: B006 - FastAPI copies it
    return Note(id=note_id, title=f"{q} {tag} {request.url} {request['route'].path}", stars=float(q))


@router.get("/{note_id}/{part}", response_model=Note, response_model_include={"id", "title"})
async def part(
    note_id: Annotated[int, Path(ge=0, le=2**64)],
    part: Annotated[str, Path(max_length=5, pattern="^[a-z]+$")],
    user_agent: Annotated[str, Header()],
    if_match: Annotated[list[str] | None, Header()] = None,
    flavour: Annotated[str, Cookie(alias="Flavour")] = "plain",
) -> dict[str, object]:
    return {"id": UUID(int=note_id), "title": f"{part} {user_agent} {if_match} {flavour}", "unknown": 1}


@router.get("/{note_id}/by/{name}")
async def by(note_id: str, name: str, languages: Annotated[Languages, Header()]) -> dict[str, object]:
    if name == "wrong":
        return {"id": "not a note"}
    return {"id": note_id, "name": name, "languages": languages}


@router.get("/{note_id}/tag/{kind}", status_code=201)
async def tagged(note_id: str, kind: str, response: Response, tag: Annotated[str, Depends(etag)]) -> dict[str, str]:
    response.headers["X-Kind"] = kind
    if kind == "known":
        response.status_code = 304
    if kind == "own":
        return PlainTextResponse("as it is")  # type: ignore[return-value] # on purpose
    return {"tag": tag}


@router.get("/{note_id}/raw/now")
async def raw(note_id: str, token: Annotated[object, Depends(strict_bearer)]) -> Note:
    if note_id == "text":
        return PlainTextResponse("as it is", 202, {"X-Kind": "raw"})  # type: ignore[return-value] # on purpose
    if note_id == "invalid":
        return {"id": "not an id"}  # type: ignore[return-value] # on purpose
    raise ValueError(note_id)


def make_notes() -> FastAPI:
    app = FastAPI(exception_handlers={Refused: on_refused, 410: on_gone})
    app.include_router(router)
    app.include_router(router, prefix="/v2/{tenant}")

    @app.get("/{rest}/here")
    async def here(rest: str) -> dict[str, str]:
        return {"rest": rest}

    return app
