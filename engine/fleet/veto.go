package fleet

// Veto is what a device's own program says of a moment: that the device is busy (it
// prints, somebody is at its screen) and must not be updated now. Package platform/veto
// asks for one.
type Veto struct {
	Busy bool
	// Why says it in one line for people; it may be empty.
	Why string
}
