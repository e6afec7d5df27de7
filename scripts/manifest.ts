// Writes oclif.manifest.json: with it, a start loads the one command that runs, without it every command there is.
import { writeFile } from "node:fs/promises"
import { Plugin } from "@oclif/core"

const plugin = new Plugin({
  root: process.cwd(),
  type: "core",
  ignoreManifest: true,
  errorOnManifestCreate: true,
  // A default such as the host's name belongs to the machine that runs the command.
  respectNoCacheDefault: true,
})
await plugin.load()
await writeFile("oclif.manifest.json", JSON.stringify(plugin.manifest, null, 2))
