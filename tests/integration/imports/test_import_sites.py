"""A post's path in the sites of Jekyll, Hugo, Zola and Eleventy: by their rules, whichever folder is named."""

from pathlib import Path

import pytest

from app.importing.sources import collect
from tests.integration.imports.files import Run, Served, front_matter, write

JEKYLL = {"_config.yml": "title: Blog\n"}
PRETTY = {"_config.yml": "permalink: /:year-:i_month/:slug/\n"}
HUGO = {"hugo.toml": "title = 'Blog'\n"}
DATED = {
    "config.yaml": "permalinks: {blog: '/:section/:year/:month/:day/:slugorfilename/'}\n"
    "frontmatter: {date: [':filename', date]}\n"
}
LANGUAGES = {"config/_default/hugo.toml": "languages.en.contentDir = 'content/en'\n"}
ZOLA = {"config.toml": "base_url = 'https://example.com'\n"}
ELEVENTY = {"eleventy.config.js": "export const config = { dir: { input: 'src' } };\n"}

type Files = dict[str, str]
CASES: list[tuple[Files, str, list[str], str]] = [
    (JEKYLL, "_posts/2016-09-29-first.md", [], "2016/09/29/first"),
    (JEKYLL, "_posts/2016-9-1-First post!.markdown", [], "2016/09/01/First-post"),
    (JEKYLL, "_posts/old/2016-09-29-first.html", [], "2016/09/29/first"),
    (JEKYLL, "_posts/2016-09-29-first.md", ["date: 2017-01-02 23:00:00 -0700"], "2017/01/02/first"),
    (JEKYLL, "_posts/2016-09-29-first.md", ["slug: other"], "2016/09/29/other"),
    (JEKYLL, "_posts/2016-09-29-first.md", ["categories: Code news"], "code/news/2016/09/29/first"),
    (JEKYLL, "notes/_posts/2016-09-29-first.md", ["category: code"], "notes/code/2016/09/29/first"),
    (JEKYLL, "_posts/2016-09-29-first.md", ["permalink: /about/first.html"], "about/first"),
    (JEKYLL, "_posts/2016-09-29-first.md", ["permalink: /:year/:title:output_ext"], "2016/first"),
    (JEKYLL, "_posts/2016-09-29-first.md", ["permalink: none"], "first"),
    (PRETTY, "_posts/2016-09-29-First.md", [], "2016-9/first"),
    ({}, "_posts/2016-09-29-first.md", [], "2016/09/29/first"),
    ({}, "notes/_posts/2016-09-29-first.md", [], "2016/09/29/first"),
    (HUGO, "content/blog/2016-09-29 First Post.md", [], "blog/2016-09-29-first-post"),
    (HUGO, "content/blog/first/index.md", [], "blog/first"),
    (HUGO, "content/blog/first.md", ["slug: Other"], "blog/other"),
    (HUGO, "content/blog/first.md", ["url: /2016/First.html"], "2016/First"),
    (DATED, "content/blog/2016-09-29-first.md", [], "blog/2016/09/29/first"),
    (DATED, "content/blog/2016-09-29-first/index.md", ["slug: other"], "blog/2016/09/29/other"),
    (DATED, "content/notes/2016-09-29-first.md", [], "notes/first"),
    (LANGUAGES, "content/en/blog/first.md", [], "blog/first"),
    (ZOLA, "content/blog/2016-09-29-First.2.md", [], "blog/first-2"),
    (ZOLA, "content/blog/2016-09-29-first/index.md", [], "blog/first"),
    (ZOLA, "content/blog/first.md", ["path: 2016/First"], "2016/First"),
    (ELEVENTY, "src/posts/2016-09-29-first.md", [], "posts/first"),
    (ELEVENTY, "src/posts/first.md", ["permalink: /2016/first/index.html"], "2016/first"),
]


def slugs(named: Path) -> list[str]:
    return [source.post.slug if source.post else f"{source.fault}" for source in collect(named).read()]


@pytest.mark.parametrize(("site", "place", "lines", "slug"), CASES, ids=[f"{case[3]} of {case[1]}" for case in CASES])
def test_a_path_follows_the_generators_rules_whichever_folder_is_named(
    folder: Path, site: Files, place: str, lines: list[str], slug: str
) -> None:
    for name, content in site.items():
        write(folder, name, content)
    front_matter(folder, place, "title: First", "author: Ada", *lines)

    for named in (folder, (folder / place).parent, folder / place):
        assert slugs(named) == [slug]


def test_a_section_is_the_same_named_alone(folder: Path) -> None:
    """Without the site's configuration, as when its content was copied."""
    for section in ("", "notes/"):
        write(folder, f"{section}_index.md", "+++\n+++\n")
    front_matter(folder, "notes/first.md", "title: First", "author: Ada")

    assert slugs(folder) == slugs(folder / "notes") == ["notes/first"]


def test_a_permalink_that_asks_for_too_much_is_a_fault(folder: Path) -> None:
    front_matter(folder, "_posts/2016-09-29-first.md", "title: First", "author: Ada", "permalink: /:moon/:title")

    assert slugs(folder) == ["the permalink /:moon/:title asks for :moon, which isn't known here"]


def test_posts_of_a_jekyll_site_are_imported_once(folder: Path, run: Run, posts: Served) -> None:
    write(folder, "_config.yml", "title: Blog\n")
    front_matter(folder, "_posts/2016-09-29-first.html", "title: First", "author: Ada", body="<p>Text.</p>\n")

    assert run()[1][-1] == "1 created, 0 updated, 0 unchanged, 0 skipped"
    assert run(path=folder / "_posts")[1] == ["0 created, 0 updated, 1 unchanged, 0 skipped"]

    post = posts()["2016/09/29/first"]
    assert (post["body"], post["published_at"]) == ("<p>Text.</p>\n", "2016-09-29T00:00:00Z")
