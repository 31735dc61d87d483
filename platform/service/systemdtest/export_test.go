package systemdtest

// Sweep is what each test program does before its first machine.
func Sweep() { sweep(memory()) }
