import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { cdiDevices } from "../../../src/runtime/container/cdi.ts"

test("devices are named by all readable specifications, in YAML and JSON, once each", async () => {
  const folder = await mkdtemp(join(tmpdir(), "zg-cdi-"))
  const put = (name: string, text: string) => writeFile(join(folder, name), text)
  await put(
    "nvidia.yaml",
    "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: GPU-1\n- name: 0\n- name: all\n",
  )
  await put("again.json", JSON.stringify({ kind: "nvidia.com/gpu", devices: [{ name: "GPU-1" }] }))
  await put("amd.yml", "kind: amd.com/gpu\ndevices: [{ name: '1' }]")
  await put("broken.json", "{")
  await put("other.json", '{"devices": 3}')
  await put("nvidia.yaml.bak", "kind: nvidia.com/gpu\ndevices: [{ name: gone }]")
  expect(await cdiDevices([folder, join(folder, "missing")])).toEqual([
    "amd.com/gpu=1",
    "nvidia.com/gpu=0",
    "nvidia.com/gpu=GPU-1",
    "nvidia.com/gpu=all",
  ])
  await rm(folder, { recursive: true })
})
