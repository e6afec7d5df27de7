import { existsSync } from "node:fs"
import type { TestContext } from "vitest"
import { skip } from "../../../contract/skip.ts"

/** Drivers that compute on the processor: Chromium's SwiftShader, Mesa's llvmpipe. */
const DRIVERS = [
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
  "/usr/share/vulkan/icd.d/lvp_icd.aarch64.json",
  "/usr/share/vulkan/icd.d/lvp_icd.json",
]

/** The environment in which programs find a software adapter and no card; null where there is none. */
export function findSoftwareAdapter(): Record<string, string> | null {
  const driver = process.env.VK_DRIVER_FILES ?? DRIVERS.find(file => existsSync(file))
  // Loaders before 1.3.207 know only the second name.
  return driver === undefined ? null : { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver }
}

/** Lets the children of this process find a software adapter; skips the test where there is none. */
export function needSoftwareAdapter(context: TestContext): void {
  const found = findSoftwareAdapter()
  if (found === null)
    skip(context, "no software driver for Vulkan is here (Debian: chromium, or mesa-vulkan-drivers)")
  Object.assign(process.env, found)
}
