import { setTimeout as sleep } from "node:timers/promises"
import { aWhile, type Fault } from "./fault.ts"

const POLL_MS = 25
/** After the strike's moment a container may take this long to be there. */
const LOOK_LIMIT_MS = 3000
const NONE_YET = "there is no container yet"
const ENDED = "its container has ended"

export const stopEngine: Fault = {
  name: "stop-engine",
  about: "SIGTERM to the engine's daemon, which stops its containers, and a start after a second",
  strike: async ({ daemon }) => {
    await daemon.process.end("SIGTERM")
    return true
  },
}

export const killContainer: Fault = {
  name: "kill-container",
  about: "`docker kill` of the shard's container by somebody else",
  senseless: { offered: NONE_YET, leased: NONE_YET, ran: ENDED, proved: ENDED, settling: ENDED },
  strike: onContainers(["kill"], []),
}

export const removeContainer: Fault = {
  name: "remove-container",
  about: "`docker rm --force` of the shard's container by somebody else",
  senseless: { offered: NONE_YET, leased: NONE_YET },
  strike: onContainers(["rm", "--force"], ["--all"]),
}

export const removeImage: Fault = {
  name: "remove-image",
  about: "the shard's image deleted from the engine by force",
  senseless: { running: "an engine deletes no image that a running container uses" },
  strike: async ({ daemon }) => {
    const images = await daemon.lines(["images", "--format={{.ID}} {{.Repository}}"])
    const ids = images.filter(line => line.includes("zg-faults")).map(line => line.split(" ")[0] ?? "")
    if (ids.length === 0) return false
    // Where a container has just been started the engine refuses: then nothing was struck.
    return daemon.tries(["image", "rm", "--force", ...new Set(ids)])
  },
}

export const loseCard: Fault = {
  name: "gpu-lost",
  about:
    "the driver's tool (a stand-in) says that the card has fallen off the bus, and finds it again after 3 to 6 s",
  card: true,
  strike: async ({ cards }, chance) => {
    await cards.lose()
    await aWhile(chance, 3000, 6000)
    await cards.find()
    return true
  },
}

/** Does it to the first containers that are seen; one that has gone meanwhile was not struck. */
function onContainers(act: readonly string[], listed: readonly string[]): Fault["strike"] {
  return async ({ daemon }) => {
    const until = Date.now() + LOOK_LIMIT_MS
    while (Date.now() < until) {
      const ids = await daemon.lines(["ps", "--quiet", ...listed])
      if (ids.length > 0) return daemon.tries([...act, ...ids])
      await sleep(POLL_MS)
    }
    return false
  }
}
