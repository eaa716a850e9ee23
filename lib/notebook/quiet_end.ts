/**
 * Ends what `quiet_begin.ts` began.
 *
 * @module
 */

import process from "node:process";
import { wasSilent } from "./quiet_begin.ts";

process.noDeprecation = wasSilent;
