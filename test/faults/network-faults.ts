import { between } from "./chance.ts"
import { aWhile, type Fault } from "./fault.ts"

const DROPPED_SHARE = 1 / 8

export const cutNetwork: Fault = {
  name: "cut-network",
  about: "every connection between agent and marketplace reset, new ones refused for 2 to 6 s",
  strike: async ({ network }, chance) => {
    network.cut()
    await aWhile(chance, 2000, 6000)
    network.heal()
    return true
  },
}

export const lossyNetwork: Fault = {
  name: "lossy-network",
  about:
    "each piece of data 20 to 300 ms late, one in eight 1 to 3 s late as a dropped packet's retransmission is, for 5 to 9 s",
  strike: async ({ network }, chance) => {
    let piece = 0
    network.delay(() => {
      const share = chance(`piece ${piece++}`)
      return share < DROPPED_SHARE ? between(1000, 3000, share / DROPPED_SHARE) : between(20, 300, share)
    })
    await aWhile(chance, 5000, 9000)
    network.heal()
    return true
  },
}

export const halfOpen: Fault = {
  name: "half-open",
  about: "open connections go silent for good without an end telling it, new ones work",
  slow: true,
  strike: async ({ network }) => {
    network.silence()
    return true
  },
}
