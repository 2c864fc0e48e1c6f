// The functions of block_linux.go without a body need an assembly file in the package.
