// Package hostile tries whether the whole program, on a device, refuses bundles
// that were made to harm it: for the right reason, journaled, and with nothing
// left behind. Cases with the name of another updater are flaws that it had. The
// devices have no services and do not need root.
package hostile
