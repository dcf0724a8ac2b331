"""What shoppers say they have paid, and finding out whether it is so."""
