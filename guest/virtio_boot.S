/*
 * From the multiboot loader's 32-bit mode to 64-bit C.
 *
 * The header carries the load addresses itself (the "a.out kludge"), because
 * QEMU takes no 64-bit ELF file by its program headers. The lowest 1 GiB is
 * mapped onto itself, in pages of 2 MiB.
 */
#define MAGIC 0x1badb002
#define FLAGS 0x00010003 /* addresses below are valid; the memory size and page-aligned modules are wanted */

  .section .multiboot, "a"
  .balign 4
multiboot_header:
  .long MAGIC, FLAGS, -(MAGIC + FLAGS)
  .long multiboot_header, image_start, image_end, memory_end, _start

  .text
  .code32
  .globl _start
_start:
  cli
  cld
  movl $stack_end, %esp
  movl %ebx, %edi /* the loader's information, first argument of start_virtio */

  movl $(directory_pointers + 3), level_4 /* 3: present, writable */
  movl $(directory + 3), directory_pointers
  movl $directory, %esi
  movl $0x83, %eax /* and 0x80: a page of 2 MiB */
map:
  movl %eax, (%esi)
  addl $8, %esi
  addl $0x200000, %eax
  cmpl $0x40000000, %eax
  jb map

  movl $level_4, %eax
  movl %eax, %cr3
  movl %cr4, %eax
  orl $0x20, %eax /* physical address extension, which long mode requires */
  movl %eax, %cr4
  movl $0xc0000080, %ecx /* EFER */
  rdmsr
  orl $0x100, %eax /* long mode */
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax /* paging, which starts long mode */
  movl %eax, %cr0
  lgdt descriptors_pointer
  ljmp $8, $start_64

  .code64
start_64:
  movl $16, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl %edi, %edi /* clears the upper half */
  call start_virtio

/* The clock's interrupt only ends a `hlt`: acknowledging it is all there is to do. */
  .globl on_clock
on_clock:
  pushq %rax
  movb $0x20, %al
  outb %al, $0x20
  popq %rax
  iretq

/* No fault is ever returned from, so neither registers nor the error code matter. */
  .globl on_fault
on_fault:
  movl $stack_end, %esp
  call fault

  .section .rodata
  .balign 8
descriptors: /* "accessed" is set beforehand: the processor would write it */
  .quad 0
  .quad 0x00af9b000000ffff /* 8: 64-bit code */
  .quad 0x00cf93000000ffff /* 16: data */
descriptors_pointer:
  .word 23
  .long descriptors

  .bss
  .balign 4096
level_4:
  .skip 4096
directory_pointers:
  .skip 4096
directory:
  .skip 4096
  .skip 16384
stack_end:

  .section .note.GNU-stack, "", @progbits
