#!/usr/bin/env node
import { readFileSync } from "node:fs"

const OLDEST = [24, 15]
const [major, minor] = process.versions.node.split(".").map(Number)
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(
    `zg-agent needs Node.js ${OLDEST.join(".")} or later; this is ${process.version}.\n` +
      "  Install a newer one from https://nodejs.org, or run it with npx, which brings its own in a checkout.\n" +
      "  (host: node-too-old)\n",
  )
  process.exitCode = 10
} else if (process.argv.length === 3 && ["--version", "-v"].includes(process.argv[2])) {
  // Answered before oclif is loaded: that alone takes three times as long as Node's own start.
  process.stdout.write(
    `${manifest.name}/${manifest.version} ${process.platform}-${process.arch} node-${process.version}\n`,
  )
} else {
  // Whoever reads may have seen enough (`proof list | head -3`): that is no failure.
  process.stdout.on("error", ({ code }) => {
    if (code === "EPIPE") process.exit(0)
  })
  const { enableCompileCache } = await import("node:module")
  enableCompileCache()
  const { execute } = await import("@oclif/core")
  await execute({ dir: import.meta.url })
}
