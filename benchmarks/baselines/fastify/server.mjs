// Fastify with Drizzle on node-postgres: `node server.mjs PORT WORKERS`, with DATABASE_URL.
import cluster from "node:cluster";
import { randomUUID } from "node:crypto";
import { desc, eq, isNotNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";
import Fastify from "fastify";
import pg from "pg";

const [port, workers] = process.argv.slice(2).map(Number);

if (cluster.isPrimary && workers > 1) {
  for (let number = 0; number < workers; number += 1) cluster.fork();
} else {
  serve();
}

function serve() {
  const moment = (name) => timestamp(name, { withTimezone: true }).defaultNow();
  const users = pgTable("users", { id: uuid().primaryKey(), name: text() });
  const posts = pgTable("posts", {
    id: uuid().primaryKey(),
    authorId: uuid("author_id"),
    title: text(),
    slug: text(),
    body: text(),
    publishedAt: timestamp("published_at", { withTimezone: true }),
    createdAt: moment("created_at"),
    updatedAt: moment("updated_at"),
  });
  const url = new URL(process.env.DATABASE_URL.replace("@/", "@localhost/"));
  const pool = new pg.Pool({
    host: url.searchParams.get("host") ?? url.hostname,
    port: Number(url.searchParams.get("port") || url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password) || undefined,
    database: decodeURIComponent(url.pathname.slice(1)),
    max: 20,
  });
  const db = drizzle(pool);

  const summary = {
    id: posts.id,
    title: posts.title,
    slug: posts.slug,
    author: { id: users.id, name: users.name },
    published_at: posts.publishedAt,
    created_at: posts.createdAt,
    updated_at: posts.updatedAt,
  };
  const withAuthor = (columns) => db.select(columns).from(posts).innerJoin(users, eq(posts.authorId, users.id));

  const string = { type: "string" };
  const nullable = { type: "string", nullable: true };
  const userSchema = { type: "object", properties: { id: string, name: nullable } };
  const summaryFields = {
    id: string,
    title: string,
    slug: nullable,
    author: userSchema,
    published_at: nullable,
    created_at: string,
    updated_at: string,
  };
  const postSchema = { type: "object", properties: { ...summaryFields, body: string } };
  const listSchema = { type: "object", properties: { items: { type: "array", items: { type: "object", properties: summaryFields } } } };
  const byId = { type: "object", properties: { id: { type: "string", format: "uuid" } } };
  const newPost = {
    type: "object",
    required: ["title", "body", "author_id"],
    properties: {
      title: { type: "string", minLength: 1, maxLength: 200 },
      body: { type: "string", maxLength: 1000000 },
      author_id: { type: "string", format: "uuid" },
    },
  };
  const limited = { type: "object", properties: { limit: { type: "integer", default: 20 } } };

  const app = Fastify();

  app.get("/users/:id", { schema: { params: byId, response: { 200: userSchema } } }, async (request, reply) => {
    const [user] = await db.select().from(users).where(eq(users.id, request.params.id));
    return user ?? reply.code(404).send();
  });

  app.get("/posts", { schema: { querystring: limited, response: { 200: listSchema } } }, async (request) => ({
    items: await withAuthor(summary)
      .where(isNotNull(posts.publishedAt))
      .orderBy(desc(posts.publishedAt), desc(posts.id))
      .limit(request.query.limit),
  }));

  app.get("/posts/:id", { schema: { params: byId, response: { 200: postSchema } } }, async (request, reply) => {
    const [post] = await withAuthor({ ...summary, body: posts.body }).where(eq(posts.id, request.params.id));
    return post ?? reply.code(404).send();
  });

  app.post("/posts", { schema: { body: newPost, response: { 201: postSchema } } }, async (request, reply) => {
    const { title, body, author_id: authorId } = request.body;
    const [author] = await db.select().from(users).where(eq(users.id, authorId));
    const [made] = await db
      .insert(posts)
      .values({ id: randomUUID(), authorId, title, body })
      .returning();
    const { publishedAt, createdAt, updatedAt, ...rest } = made;
    const times = { published_at: publishedAt, created_at: createdAt, updated_at: updatedAt };
    return reply.code(201).send({ ...rest, ...times, author });
  });

  app.listen({ port, host: "127.0.0.1" });
}
