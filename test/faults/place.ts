import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { type Clock, fakeTimeLibrary } from "./clock.ts"

export type Name = "agent" | "market" | "buyer"

/** What the programs of a lane are started with, beyond the usual. */
export interface Equipment {
  /** Wall clocks that can be made to jump. */
  clocks: boolean
  /** A card of a stand-in instead of a slot on the CPU. */
  card: boolean
}

/** The folders of a lane. */
export class Place {
  readonly root: string

  constructor(root: string) {
    this.root = root
    for (const folder of [this.scratch, this.sysfs, this.dockerConfig]) mkdirSync(folder)
  }

  home(name: Name): string {
    return join(this.root, name)
  }

  /** Where programs put temporary files. */
  get scratch(): string {
    return join(this.root, "tmp")
  }

  get cards(): string {
    return join(this.root, "cards")
  }

  /** No hardware but what is put there. */
  get sysfs(): string {
    return join(this.root, "sysfs")
  }

  /** No login and no context of whoever runs this. */
  get dockerConfig(): string {
    return join(this.root, "docker")
  }

  log(name: string): string {
    return join(this.root, `${name}.log`)
  }
}

export interface Surroundings {
  place: Place
  /** The engine's address. */
  engine: string
  equipment: Equipment
  clocks: Record<"agent" | "market", Clock>
}

/** The whole environment of one of our programs: nothing of whoever runs the harness but where programs lie. */
export function environmentOf(name: Name, { place, engine, equipment, clocks }: Surroundings) {
  const library = equipment.clocks && name !== "buyer" ? fakeTimeLibrary() : null
  const faked = library === null || name === "buyer" ? {} : clocks[name].env(library)
  return {
    PATH: [...(equipment.card ? [place.cards] : []), process.env.PATH].join(":"),
    HOME: place.root,
    TMPDIR: place.scratch,
    NODE_COMPILE_CACHE: join(place.root, "cache"),
    DOCKER_HOST: engine,
    DOCKER_CONFIG: place.dockerConfig,
    ZG_HOME: place.home(name),
    ZG_SYSFS: place.sysfs,
    ZG_LOG_LEVEL: "debug",
    // The stand-in toolkit's version: one without a known escape.
    ZG_TEST_TOOLKIT: "99.0.0",
    ...faked,
  }
}
