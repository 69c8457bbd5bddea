process.stdout.write('yodel\n');
