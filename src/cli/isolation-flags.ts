import { Flags } from "@oclif/core"

const ENGINES = ["auto", "docker", "podman"] as const

/** Which engine and which runtime run the containers. */
export const isolationFlags = {
  engine: Flags.option({ options: ENGINES })({
    description:
      "container engine; auto takes the one that isolates more strongly, Docker where they are equal",
    default: "auto",
    env: "ZG_ENGINE",
  }),
  runtime: Flags.string({
    description: "the engine's runtime, such as runc or runsc (gVisor); auto takes gVisor where it works",
    default: "auto",
    env: "ZG_RUNTIME",
    helpValue: "auto|NAME",
  }),
}
