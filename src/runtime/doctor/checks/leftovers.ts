import { type Finding, ok, skipped, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"
import type { Strays } from "../trial.ts"

export const leftovers: Inspection = {
  id: "leftovers",
  title: "Stray containers",
  async look(site) {
    if ((await site.engine().catch(() => null)) === null) return skipped("needs the container engine")
    if ((await site.home().catch(() => null)) === null) return skipped("needs the state folder")
    const strays = await site.strays()
    if (strays === null) return skipped("needs an identity")
    const serving = await site.serving()
    return serving === null
      ? judgeStrays(strays)
      : ok(`the agent that serves (process ${serving.pid}) sees to it`)
  },
}

export function judgeStrays({ stopped, running }: Strays): Finding {
  const all = [...stopped, ...running]
  if (all.length === 0) return ok("none")
  const many = (count: number) => `${count} container${count === 1 ? "" : "s"}`
  const ids = all.map(id => id.slice(0, 12))
  const fact = `${many(all.length)} of this agent without a shard (${running.length} running): ${ids.join(", ")}`
  const [first] = stopped
  return warning(fact, {
    remedy: "The next `zg-agent serve` removes them; so does this:",
    command: ["docker", "rm", "--force", "--volumes", ...ids].join(" "),
    // Without --force the engine itself refuses to remove what has been started meanwhile.
    fixes: first === undefined ? [] : [{ kind: "run", argv: ["docker", "rm", "--volumes", ...stopped] }],
  })
}
