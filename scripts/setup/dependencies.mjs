// Runs on whatever Node.js the machine has, before anything is installed: plain JavaScript, no imports from npm.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"

const STAMP = "node_modules/.zg-installed"
const wanted = createHash("sha256").update(readFileSync("package-lock.json")).digest("hex")

if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== wanted) {
  console.log("Installing dependencies, Node.js 24 among them …")
  const started = Date.now()
  const { status, error } = spawnSync("npm", ["ci", "--loglevel=error", "--no-audit", "--no-fund"], {
    stdio: "inherit",
    shell: process.platform === "win32",
  })
  if (status !== 0) {
    console.error(
      `npm ci failed${error ? ` (${error.message})` : ""}.\n` +
        "  See its message above; npm 10 or later and access to the npm registry are needed. Then run this again.",
    )
    process.exit(10)
  }
  writeFileSync(STAMP, wanted)
  console.log(`✔ Dependencies (${Math.round((Date.now() - started) / 1000)} s)`)
}
