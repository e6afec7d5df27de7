import { hasProgram, installPackages } from "./packages.ts"
import { step } from "./step.ts"

/**
 * Chromium, in which pages are opened, and whose driver plays a card where there is none. In CI it is installed where that is possible;
 * elsewhere nobody's machine is changed, and the tests say what they lack.
 */
export async function prepareBrowser(): Promise<void> {
  if (!process.env.CI || (await hasProgram("chromium"))) return
  await step("Chromium, for the tests", async say => {
    say("installing it from the system's packages")
    await installPackages("chromium", "libvulkan1")
  })
}
