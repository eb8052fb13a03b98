// Probot as its documentation starts it, with a handler that does nothing, and no log lines for what goes well.
import { generateKeyPairSync } from "node:crypto";
import { run } from "probot";

const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs1", format: "pem" },
  publicKeyEncoding: { type: "pkcs1", format: "pem" },
});
const app = (probot) => {
  probot.on("issues.labeled", async () => {});
};
await run(app, {
  env: {
    NODE_ENV: "production",
    APP_ID: "1",
    PRIVATE_KEY: privateKey,
    WEBHOOK_SECRET: process.env.HOOK_SECRET,
    WEBHOOK_PATH: "/hooks/github",
    HOST: "127.0.0.1",
    PORT: process.env.PORT,
    LOG_LEVEL: "error",
  },
});
