// Package deviceapi tells device-api, the device's own program, how an update
// is going: POST /api/v1.0/ota/report with {stage, progress, message, error}.
//
// What it promises:
//
//   - Submit never waits: an update is not delayed by who watches it.
//   - One report is kept, the newest. While device-api is down (it may be what
//     is being updated) it is tried again with back-off; when it is back it gets
//     how things are now, not how they were.
//   - Reports go out at each change of stage or error and at every 5 %.
//   - Delivered tells what device-api has acknowledged. A report lives in memory
//     only: whoever starts again submits the outcome of its last update again
//     until it is delivered, which makes the last report certain.
//
// It never reads anything from device-api but the status of the answer.
package deviceapi
