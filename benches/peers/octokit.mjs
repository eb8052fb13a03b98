// GitHub's own middleware on node's own server, with a handler that does nothing.
import { createServer } from "node:http";
import { Webhooks, createNodeMiddleware } from "@octokit/webhooks";

const webhooks = new Webhooks({ secret: process.env.HOOK_SECRET });
webhooks.on("issues.labeled", async () => {});
createServer(createNodeMiddleware(webhooks, { path: "/hooks/github" })).listen(Number(process.env.PORT), "127.0.0.1");
