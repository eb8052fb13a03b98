// What a team writes first: verify, one INSERT, answer. The raw body as bytea is the cheapest thing to keep.
import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
await pool.query(`CREATE TABLE IF NOT EXISTS peer_deliveries (
  id text PRIMARY KEY, event text NOT NULL, body bytea NOT NULL, received_at timestamptz NOT NULL DEFAULT now())`);

const app = express();
app.post("/hooks/github", express.raw({ type: "application/json", limit: "25mb" }), async (request, response) => {
  const expected = "sha256=" + createHmac("sha256", process.env.HOOK_SECRET).update(request.body).digest("hex");
  const given = Buffer.from(request.get("x-hub-signature-256") ?? "");
  if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected))) {
    return response.sendStatus(401);
  }
  await pool.query({
    name: "insert",
    text: "INSERT INTO peer_deliveries (id, event, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    values: [request.get("x-github-delivery"), request.get("x-github-event"), request.body],
  });
  response.sendStatus(202);
});
app.listen(Number(process.env.PORT), "127.0.0.1");
