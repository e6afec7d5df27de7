import { loadIdentity } from "../../../store/identity.ts"
import { ok, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const registration: Inspection = {
  id: "registration",
  title: "Registration",
  async look(site) {
    const home = await site.home()
    const settings = await site.settings()
    if (settings === null) {
      return warning("This agent is not registered at a marketplace yet.", {
        remedy: "Register it; its operator tells the address.",
        command: "zg-agent register --market wss://ADDRESS",
      })
    }
    const { keyId } = await loadIdentity(home.identity)
    return ok(`${settings.name} (${keyId.slice(0, 16)}) at ${settings.market.url}`)
  },
}
