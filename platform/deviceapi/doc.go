// Package deviceapi tells device-api, the device's own program, how an update
// is going: POST /api/v1.0/ota/report with {stage, progress, message, error}.
//
// What it promises:
//
//   - Submit never waits: a watcher does not delay an update.
//   - One report is kept, the newest. While device-api is down (the update may
//     be replacing it) the report is tried again with back-off; when device-api
//     is back it learns the present state, not the history.
//   - Reports go out at each change of stage or error and at every 5 %.
//   - Delivered tells what device-api has acknowledged. A report lives in memory
//     only. The end of an update stands in the journal's outbox besides: the updater
//     submits it until it is delivered, over restarts, which makes the last report certain.
//
// All that it reads from device-api is the status of the answer.
package deviceapi
