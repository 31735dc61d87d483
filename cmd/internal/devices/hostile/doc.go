// Package hostile tries whether the whole program, on a device, refuses bundles that
// were made to harm it: with the right reason, journaled, and with nothing left
// behind. Cases that are named after other updaters are flaws that those had. The
// devices have no services and need no root.
package hostile
