// The container engine, the trainer's image and the training text, without running anything.
import { prepareEngine } from "./engine.ts"
import { prepareImages } from "./images.ts"
import { tellFaults } from "./tell.ts"

await tellFaults(async () => {
  await prepareEngine()
  await prepareImages()
})
