// Start the payment
const initiatePayment = async (orderId, phoneNumber) => {
  try {
    const response = await axios.post('/api/payments/mpesa/initiate', {
      order_id: orderId,
      phone_number: phoneNumber
    });

    if (response.data.success) {
      // Now keep checking if they paid
      pollPaymentStatus(orderId);
    }
  } catch (error) {
    console.error('Payment failed:', error);
  }
};

// Check every 5 seconds if payment completed
const pollPaymentStatus = async (orderId) => {
  const maxAttempts = 24; // Give them 2 minutes
  let attempts = 0;

  const interval = setInterval(async () => {
    attempts++;

    try {
      const response = await axios.post('/api/payments/mpesa/query', {
        order_id: orderId
      });

      if (response.data.data.status === 'completed') {
        clearInterval(interval);
        window.location.href = '/order-success';
      } else if (response.data.data.status === 'failed') {
        clearInterval(interval);
        alert('Payment failed. Try again?');
      }

      if (attempts >= maxAttempts) {
        clearInterval(interval);
        alert('Taking too long. Contact support if money was deducted.');
      }
    } catch (error) {
      console.error('Error checking payment status:', error);
    }
  }, 5000);
};
