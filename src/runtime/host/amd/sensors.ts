import { integerOf, within } from "../drm/number.ts"
import type { Sysfs } from "../drm/sysfs.ts"

/** One reading of a card's `hwmon` folder (Documentation/gpu/amdgpu/thermal.rst), null where there is none. */
export interface Sensors {
  temperatureC: number | null
  /** The temperature at which the card must slow down. */
  criticalC: number | null
  powerDrawW: number | null
  powerLimitW: number | null
  fanPct: number | null
  coreMhz: number | null
  memoryMhz: number | null
  /** The card says that it has a fan, running or not. */
  hasFan: boolean
}

/** Where a card's sensors are: its monitor's folder, and the numbers of those sensors that have several; null where there is none. */
export interface SensorPlaces {
  monitor: string | null
  temperature: number | null
  core: number | null
  memory: number | null
}

/** An attribute's text by its name in the monitor's folder; null where there is none. */
export type ReadText = (name: string) => Promise<string | null>

/** @param folder the device's folder. */
export async function readSensors(sysfs: Sysfs, folder: string, noEdgeSensor: boolean): Promise<Sensors> {
  const places = await findSensors(sysfs, folder, noEdgeSensor)
  return sensorsAt(places, textIn(sysfs, places.monitor))
}

/** Looks once for what stays as it is while the driver runs. */
export async function findSensors(
  sysfs: Sysfs,
  folder: string,
  noEdgeSensor: boolean,
): Promise<SensorPlaces> {
  const monitor = await monitorOf(sysfs, folder)
  const text = textIn(sysfs, monitor)
  return {
    monitor,
    temperature: await labelled(text, "temp", noEdgeSensor ? "junction" : "edge", noEdgeSensor ? null : 1),
    core: await labelled(text, "freq", "sclk", 1),
    memory: await labelled(text, "freq", "mclk", 2),
  }
}

/** Reads the sensors of a card in the driver's units, each for itself. */
export async function sensorsAt(places: SensorPlaces, text: ReadText): Promise<Sensors> {
  const number = async (name: string) => integerOf(await text(name))
  const { temperature: sensor } = places
  const rpm = await number("fan1_input")
  const pwm = await number("pwm1")
  return {
    temperatureC: sensor === null ? null : celsius(await number(`temp${sensor}_input`)),
    criticalC: sensor === null ? null : above0(celsius(await number(`temp${sensor}_crit`))),
    powerDrawW: watts((await number("power1_average")) ?? (await number("power1_input"))),
    powerLimitW: watts(await number("power1_cap")),
    fanPct: share(pwm, await number("pwm1_max")) ?? share(rpm, await number("fan1_max")),
    coreMhz: await clock(places.core),
    memoryMhz: await clock(places.memory),
    hasFan: rpm !== null || pwm !== null,
  }

  async function clock(place: number | null): Promise<number | null> {
    const hertz = place === null ? null : within(await number(`freq${place}_input`), 0, 10e9)
    return hertz === null ? null : Math.round(hertz / 1e6)
  }
}

function textIn(sysfs: Sysfs, monitor: string | null): ReadText {
  return async name => (monitor === null ? null : sysfs.text(`${monitor}/${name}`))
}

/** The monitor of the card's own driver; other chips on the board may have some too. */
async function monitorOf(sysfs: Sysfs, folder: string): Promise<string | null> {
  const monitors = (await sysfs.list(`${folder}/hwmon`)).map(name => `${folder}/hwmon/${name}`)
  for (const monitor of monitors) {
    if (/^(?:amdgpu|radeon)$/.test((await sysfs.text(`${monitor}/name`)) ?? "")) return monitor
  }
  return monitors.length === 1 ? (monitors[0] ?? null) : null
}

/** The number of the sensor with this label; the usual one where the driver is too old to label it. */
async function labelled(
  text: ReadText,
  kind: string,
  label: string,
  usual: number | null,
): Promise<number | null> {
  for (const place of [1, 2, 3, 4]) {
    if ((await text(`${kind}${place}_label`))?.toLowerCase() === label) return place
  }
  return usual !== null && (await text(`${kind}${usual}_label`)) === null ? usual : null
}

/** From thousandths; a card that sleeps or is gone answers 511 or below the ice. */
function celsius(thousandths: number | null): number | null {
  const inside = within(thousandths, -40_000, 200_000)
  return inside === null ? null : inside / 1000
}

/** From microwatts. No card runs on nothing: 0 is what an absent sensor or a limit that is not set reads. */
function watts(micro: number | null): number | null {
  const inside = within(micro, 1, 5_000_000_000)
  return inside === null ? null : Math.round(inside / 1000) / 1000
}

function share(value: number | null, most: number | null): number | null {
  if (value === null || most === null || most <= 0) return null
  return within(Math.round((value / most) * 100), 0, 100)
}

function above0(value: number | null): number | null {
  return value !== null && value > 0 ? value : null
}
